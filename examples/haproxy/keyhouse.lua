-- Asks Keyhouse about a request, with HAProxy's own HTTP client (2.6 and newer): no module needed.
--
-- Marks the request as allowed in txn.keyhouse, or answers it. Anything unexpected does neither, and
-- the line after `http-request lua.keyhouse` refuses.

-- `default` takes any valid key on any route. Another gate's name goes in its place.
local URL = "http://127.0.0.1:7117/v1/forward-auth/default"

-- A check takes well under a millisecond. One that doesn't come refuses the request soon: HAProxy
-- asks up to four times, each for this long, so the client waits for at most 2 s.
local TIMEOUT_MS = 500

-- Of the client's request Keyhouse gets these, every line of each, and nothing else. A gate may read
-- the key from other headers (`credentials`): list them here, and in haproxy.cfg for removal.
-- The last three are for CORS preflights and for refusals of gRPC.
local ASKED = {
    "authorization", "x-api-key", "mc-api-key", "user-agent",
    "origin", "access-control-request-method", "content-type",
}

-- What the application learns. All of them, or the request isn't allowed.
local IDENTITY = {
    "x-keyhouse-key", "x-keyhouse-key-name", "x-keyhouse-user", "x-keyhouse-email",
    "x-keyhouse-organization", "x-keyhouse-role", "x-keyhouse-teams", "x-keyhouse-permissions",
    "x-keyhouse-plan", "x-keyhouse-environment",
}

-- What the client learns of a refusal.
local REFUSALS = { [401] = "Unauthorized", [403] = "Forbidden", [429] = "Too Many Requests" }
local TOLD = {
    "content-type", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-keyhouse-code",
    "x-keyhouse-reason", "grpc-status", "grpc-message",
}

-- HAProxy counts the lines of a header from 0, its HTTP client takes them from 1.
local function lines(headers, name)
    local found, all = {}, headers[name]
    local index = 0
    while all and all[index] do
        found[index + 1] = all[index]
        index = index + 1
    end
    return found
end

-- HAProxy passes control characters in values on, some of which end a value for some programs.
local function has_control_characters(headers)
    for name in pairs(headers) do
        for _, value in ipairs(lines(headers, name)) do
            if value:find("[\0-\8\10-\31\127]") then return true end
        end
    end
    return false
end

-- As the client wrote it: Keyhouse refuses what two programs could read differently. HTTP/2 has no full
-- URL: there HAProxy shows one of its own making, and passes only path and query on.
local function target(txn)
    if txn.sf:req_ver() == "2.0" then return txn.sf:pathq() end
    return txn.sf:url()
end

local function ask(txn, client)
    local headers = {
        ["x-forwarded-method"] = { txn.sf:method() },
        ["x-forwarded-proto"] = { txn.sf:ssl_fc() == "1" and "https" or "http" },
        ["x-forwarded-host"] = lines(client, "host"),
        ["x-forwarded-uri"] = { target(txn) },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    for _, name in ipairs(ASKED) do
        local values = lines(client, name)
        if #values > 0 then headers[name] = values end
    end
    return core.httpclient():get({ url = URL, headers = headers, timeout = TIMEOUT_MS })
end

core.register_action("keyhouse", { "http-req" }, function(txn)
    local client = txn.http:req_get_headers()
    if has_control_characters(client) then
        txn:done(txn:reply({ status = 400, reason = "Bad Request" }))
    end
    local answer = ask(txn, client)
    if answer.status == 200 then
        for _, name in ipairs(IDENTITY) do
            local values = lines(answer.headers, name)
            if #values ~= 1 or values[1] == "" then return end
            txn.http:req_set_header(name, values[1])
        end
        txn:set_var("txn.keyhouse", "allowed")
    elseif REFUSALS[answer.status] then
        local reply = txn:reply({ status = answer.status, reason = REFUSALS[answer.status], body = answer.body })
        for _, name in ipairs(TOLD) do
            for _, value in ipairs(lines(answer.headers, name)) do reply:add_header(name, value) end
        end
        txn:done(reply)
    end
end, 0)
