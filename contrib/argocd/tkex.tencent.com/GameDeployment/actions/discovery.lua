-- Which buttons can be pressed now: as `kubectl game` would write, or refuse.
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
local index = status.currentStepIndex
local under_way = #steps > 0 and index ~= nil and index < #steps
local step = under_way and steps[index + 1] or {}
local timed = step.pause ~= nil and step.pause.duration ~= nil
local check_failed = stuck == "CanaryHookFailed"
local aborted = stuck == "CanaryAborted" or waiting == "CanaryAborted"
local back = aborted or stuck == "CanaryRolledBack" or waiting == "CanaryRolledBack"
local hook_failed = stuck == "HookFailed" or stuck == "PostInplaceHookFailed"
-- A pause ends by a person, a check by its answer; pods of a partition come by themselves.
local passable = step.pause ~= nil or (step.hook ~= nil and (check_failed or not paused))

return {
  pause = { disabled = paused },
  resume = { disabled = not paused or back or timed },
  promote = { disabled = not passable or back },
  ["promote-full"] = { disabled = not under_way or back },
  abort = { disabled = not under_way or aborted },
  retry = { disabled = not (under_way and (check_failed or back)) and not hook_failed },
  restart = { disabled = false },
}
