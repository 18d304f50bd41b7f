# Varnish 7.1 with vmod xkey (Debian: varnish and varnish-modules) in front of Tributary.
# It keeps what the server calls public, and nothing else, until it expires or a write purges it by its tags.
vcl 4.1;

import std;
import xkey;

backend tributary {
    .host = "127.0.0.1";
    .port = "4000";
    .connect_timeout = 1s;
    # Longer than REQUEST_TIMEOUT_MS, so that the server's own answer to what takes too long comes through.
    .first_byte_timeout = 15s;
    .between_bytes_timeout = 5s;
    .probe = {
        .url = "/readyz";
        .interval = 1s;
        .timeout = 1s;
        .window = 4;
        .threshold = 2;
        .initial = 2;
    }
}

# The servers that purge: each process of Tributary. Behind a proxy on this machine everybody is 127.0.0.1: set a token.
acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403, "Not from here"));
        }
        # The CDN_PURGE_TOKEN of the servers; without one in Varnish's environment the list above has to do.
        if (std.getenv("CDN_PURGE_TOKEN") != "" && req.http.Authorization != "Bearer " + std.getenv("CDN_PURGE_TOKEN")) {
            return (synth(403, "Not with this token"));
        }
        if (!req.http.xkey-purge) {
            return (synth(400, "Expected tags in xkey-purge"));
        }
        # Gone, not stale: grace never gives what was purged.
        set req.http.x-purged = xkey.purge(req.http.xkey-purge);
        return (synth(200, "Purged " + req.http.x-purged));
    }

    # For operators, not for the world.
    if (req.url ~ "^/(?:metrics|readyz|healthz)(?:[/?]|$)") {
        return (synth(404));
    }
    if (req.method !~ "^(?:GET|HEAD|POST|OPTIONS)$") {
        return (synth(405));
    }

    # Varnish has appended the client's address to X-Forwarded-For already: TRUSTED_PROXIES=1.
    if (req.method !~ "^(?:GET|HEAD)$" || req.url !~ "^/graphql(?:/[^/?]+)?(?:\?|$)") {
        return (pass);
    }
    # What is asked in somebody's name is nobody else's; these headers ask for more than the answer.
    if (req.http.Authorization || req.http.Cookie || req.http.X-Cost || req.http.X-Request-Timeout-Ms) {
        return (pass);
    }

    # The two media types of answers; who prefers another is not answered from here. Varnish itself asks for gzip only,
    # and unpacks it for those who cannot.
    if (req.http.Accept ~ "^\s*application/graphql-response\+json\s*(?:,|$)") {
        set req.http.Accept = "application/graphql-response+json";
    } elsif (!req.http.Accept || req.http.Accept ~ "^\s*(?:application/json|\*/\*)\s*(?:,|$)") {
        set req.http.Accept = "application/json";
    } else {
        return (pass);
    }
    # The order of parameters means nothing.
    set req.url = std.querysort(req.url);

    # A server that is well is asked again soon; without one, what is known has to do for some minutes.
    if (std.healthy(req.backend_hint)) {
        set req.grace = 10s;
    }
    return (hash);
}

sub vcl_backend_response {
    # Kept is what says how long shared caches may keep it; 120 s by default would keep anything.
    if (beresp.http.Cache-Control !~ "(?i)\bpublic\b" || beresp.http.Cache-Control !~ "(?i)\bs-maxage=[1-9]"
        || beresp.http.Cache-Control ~ "(?i)\b(?:private|no-store)\b" || beresp.http.Set-Cookie
        || beresp.status != 200) {
        # Hit-for-miss: those who ask for it do not wait for each other.
        set beresp.uncacheable = true;
        set beresp.ttl = 120s;
        return (deliver);
    }
    set beresp.http.xkey = beresp.http.Surrogate-Key;
    set beresp.grace = 5m;
    # Of the request that was answered, not of those that will be.
    unset beresp.http.X-Request-Id;
    unset beresp.http.RateLimit;
    unset beresp.http.RateLimit-Policy;
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.xkey;
    unset resp.http.Surrogate-Key;
    unset resp.http.Cache-Tag;
    # Caches behind this one are not purged: they ask again each time, which costs an ETag.
    if (resp.http.Cache-Control ~ "(?i)\bs-maxage=") {
        set resp.http.Cache-Control = "public, no-cache";
    }
    if (obj.hits > 0) {
        set resp.http.Cache-Status = "varnish; hit; ttl=" + regsub(obj.ttl, "\..*", "");
    } else {
        set resp.http.X-Forward = "varnish; fwd=miss";
        if (obj.uncacheable) {
            set resp.http.X-Forward = "varnish; fwd=bypass";
        }
        if (resp.http.Cache-Status) {
            set resp.http.X-Forward = resp.http.Cache-Status + ", " + resp.http.X-Forward;
        }
        set resp.http.Cache-Status = resp.http.X-Forward;
        unset resp.http.X-Forward;
    }
}
