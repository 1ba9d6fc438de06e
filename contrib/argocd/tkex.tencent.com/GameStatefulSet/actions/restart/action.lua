-- Pods that were started before this instant are restarted, within budgets, grace and hooks.
local os = require("os")
obj.spec.restartAt = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
