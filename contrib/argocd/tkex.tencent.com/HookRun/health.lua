-- Health of a HookRun: the answer of the hook.
local hs = { status = "Progressing", message = "The hook has not answered yet" }
local phase = obj.status ~= nil and obj.status.phase or ""
if phase == "Successful" then
  hs.status, hs.message = "Healthy", "The hook said yes"
elseif phase == "Failed" or phase == "Error" or phase == "Inconclusive" then
  hs.status, hs.message = "Degraded", obj.status.message or ("The hook ended " .. phase)
end
return hs
