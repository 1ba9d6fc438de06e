-- Ask failed hooks of pods anew; where none has failed, a canary that was stopped starts again.
local os = require("os")
local status = obj.status or {}
local hooks = {
  preDeleteUpdateStrategy = "preDeleteHookCondition",
  preInplaceUpdateStrategy = "preInplaceHookCondition",
  postInplaceUpdateStrategy = "postInplaceHookCondition",
}
local asked = false
for strategy, waiting in pairs(hooks) do
  for _, entry in ipairs(status[waiting] or {}) do
    local failed = entry.phase == "Failed" or entry.phase == "Error" or entry.phase == "Inconclusive"
    if failed and obj.spec[strategy] ~= nil and obj.spec[strategy].hook ~= nil then
      obj.spec[strategy].retry = true
      asked = true
    end
  end
end
if not asked then
  obj.metadata.annotations = obj.metadata.annotations or {}
  obj.metadata.annotations["tkex.tencent.com/canary-command"] = string.format(
    '{"do":"retry","revision":"%s","steps":"%s","index":%d,"by":"argocd","at":"%s"}',
    status.updateRevision or "", status.currentStepHash or "", status.currentStepIndex or 0,
    os.date("!%Y-%m-%dT%H:%M:%SZ")
  )
end
return obj
