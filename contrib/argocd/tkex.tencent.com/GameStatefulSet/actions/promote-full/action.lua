-- A command to the canary. It names revision and step, so that one that comes late does nothing.
local os = require("os")
local status = obj.status or {}
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["tkex.tencent.com/canary-command"] = string.format(
  '{"do":"promote-full","revision":"%s","steps":"%s","index":%d,"by":"argocd","at":"%s"}',
  status.updateRevision or "", status.currentStepHash or "", status.currentStepIndex or 0,
  os.date("!%Y-%m-%dT%H:%M:%SZ")
)
return obj
