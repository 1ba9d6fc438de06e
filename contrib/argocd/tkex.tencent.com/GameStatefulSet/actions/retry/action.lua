-- Ask failed hooks of pods anew; where none has failed, a canary that was stopped starts again.
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
  obj.spec.updateStrategy = obj.spec.updateStrategy or {}
  obj.spec.updateStrategy.paused = false
end
return obj
