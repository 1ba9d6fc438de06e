-- Health of a workload: what Ready, Reconciling and Stalled say of the generation that is asked for.
local hs = { status = "Progressing", message = "Waiting for the operators to look at it" }

if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "Being deleted"
  return hs
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local found = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  found[condition.type] = condition
end

local stalled, reconciling, ready = found.Stalled, found.Reconciling, found.Ready
if stalled ~= nil and stalled.status == "True" then
  hs.status, hs.message = "Degraded", stalled.message
elseif reconciling ~= nil and reconciling.status == "True" then
  hs.message = reconciling.message
elseif ready ~= nil and ready.status == "True" then
  hs.status, hs.message = "Healthy", ready.message
  if ready.reason == "Held" then
    hs.status = "Suspended"
  end
end
return hs
