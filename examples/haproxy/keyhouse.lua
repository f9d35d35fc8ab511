-- Sends Keyhouse a check of each request, with HAProxy's own HTTP client (2.6 and newer): no module
-- needed.
--
-- Marks an allowed request in txn.keyhouse, and responds to a refused request. After an unexpected
-- result the script does neither, and the line after `http-request lua.keyhouse` refuses the
-- request.

-- The gate `default` accepts any valid key on any route. Replace `default` with the name of another
-- gate.
local URL = "http://127.0.0.1:7117/v1/forward-auth/default"

-- A check takes well under a millisecond. If no response arrives, the request is refused: HAProxy
-- tries up to four times with this timeout, so the client waits for at most 2 s.
local TIMEOUT_MS = 500

-- Keyhouse receives only these headers of the client's request, with every line of each. If the gate
-- reads the key from other headers (`credentials`), list these headers here, and in haproxy.cfg for
-- removal. The last three are for CORS preflights and for refusals of gRPC.
local ASKED = {
    "authorization", "x-api-key", "mc-api-key", "user-agent",
    "origin", "access-control-request-method", "content-type",
}

-- Identity headers for the application. If one is missing in the response, the request is refused.
local IDENTITY = {
    "x-keyhouse-key", "x-keyhouse-key-name", "x-keyhouse-user", "x-keyhouse-email",
    "x-keyhouse-organization", "x-keyhouse-role", "x-keyhouse-teams", "x-keyhouse-permissions",
    "x-keyhouse-plan", "x-keyhouse-environment",
}

-- Headers of a refusal that the client receives.
local REFUSALS = { [401] = "Unauthorized", [403] = "Forbidden", [429] = "Too Many Requests" }
local TOLD = {
    "content-type", "www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-keyhouse-code",
    "x-keyhouse-reason", "grpc-status", "grpc-message",
}

-- HAProxy numbers the lines of a header from 0, its HTTP client from 1.
local function lines(headers, name)
    local found, all = {}, headers[name]
    local index = 0
    while all and all[index] do
        found[index + 1] = all[index]
        index = index + 1
    end
    return found
end

-- HAProxy forwards control characters in values, and some programs end a value at such a character.
local function has_control_characters(headers)
    for name in pairs(headers) do
        for _, value in ipairs(lines(headers, name)) do
            if value:find("[\0-\8\10-\31\127]") then return true end
        end
    end
    return false
end

-- The URL exactly as the client sent it: Keyhouse refuses a URL that two programs could read
-- differently. HTTP/2 has no full URL: HAProxy composes one, and forwards only path and query.
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
