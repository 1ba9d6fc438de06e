-- Which buttons can be pressed now.
local status, strategy = obj.status or {}, obj.spec.updateStrategy or {}
local steps = strategy.canary ~= nil and strategy.canary.steps or {}
local waiting, stuck = "", ""
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Progressing" then
    waiting = condition.reason
  elseif condition.type == "Blocked" and condition.status == "True" then
    stuck = condition.reason
  end
end

local paused = strategy.paused == true
local under_way = #steps > 0 and status.currentStepIndex ~= nil and status.currentStepIndex < #steps
local ended = stuck == "CanaryHookFailed" or stuck == "CanaryRolledBack" or waiting == "CanaryRolledBack"
local hook_failed = stuck == "HookFailed" or stuck == "PostInplaceHookFailed"

return {
  pause = { disabled = paused },
  resume = { disabled = not paused },
  promote = { disabled = not under_way },
  ["promote-full"] = { disabled = not under_way },
  abort = { disabled = not under_way },
  retry = { disabled = not (ended or hook_failed) },
  restart = { disabled = false },
}
