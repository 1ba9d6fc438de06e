-- Past the step in force. A pause without an end and a failed check are answered by the switch; what would end by
-- itself is skipped by a command, which names revision and step, so that one that comes late does nothing.
local os = require("os")
local status, strategy = obj.status or {}, obj.spec.updateStrategy or {}
local steps = strategy.canary ~= nil and strategy.canary.steps or {}
local index = status.currentStepIndex or 0
local step = steps[index + 1] or {}
local timed = step.pause ~= nil and step.pause.duration ~= nil
if strategy.paused == true and not timed then
  strategy.paused = false
  return obj
end
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["tkex.tencent.com/canary-command"] = string.format(
  '{"do":"skip","revision":"%s","steps":"%s","index":%d,"by":"argocd","at":"%s"}',
  status.updateRevision or "", status.currentStepHash or "", index, os.date("!%Y-%m-%dT%H:%M:%SZ")
)
return obj
