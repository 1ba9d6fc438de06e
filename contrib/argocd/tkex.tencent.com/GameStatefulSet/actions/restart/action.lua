-- Pods that were started before this instant are restarted, within budgets, grace and hooks: all containers, in place
-- where the workload updates in place. What an earlier restart was narrowed to does not count for this one.
local os = require("os")
obj.spec.restartAt = os.date("!%Y-%m-%dT%H:%M:%SZ")
obj.spec.restartContainers = nil
obj.spec.restartRecreate = nil
return obj
