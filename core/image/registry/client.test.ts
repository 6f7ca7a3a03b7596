import assert from "node:assert/strict";
import test from "node:test";
import { encodeText } from "../../base/bytes.ts";
import { anonymous } from "./credentials.ts";
import { blobFrom } from "./download.ts";
import { type Fetch, networkError } from "./http.ts";
import { fetchWithin } from "./known-hosts.ts";
import { basicAuth, tokenAuth } from "./server-auth.ts";
import {
  answer,
  collected,
  customerOf,
  digestOfText,
  registryInMemory,
  seeing,
  stock,
  textOfBody,
} from "../../../test/registry/in-memory.ts";

// What the client says to a registry and what it makes of the answers, with no network between.

const maria = { ...anonymous, username: "maria", password: "secret" };
const isMaria = async (user: string, password: string) => user === "maria" && password === "secret";

/** A token service: hands a token out for each scope that is asked for. */
function tokenService(options: { expiresIn?: number; issue?: (scopes: string[]) => string } = {}) {
  const granted = new Map<string, string[]>();
  let issued = 0;
  const service: Fetch = async (request) => {
    const url = new URL(request.url);
    const form = request.method === "POST" ? new URLSearchParams(await textOfBody(request)) : url.searchParams;
    const scopes = form.getAll("scope").flatMap((scope) => scope.split(" "));
    const login = request.headers["authorization"];
    if (login !== undefined && login !== `Basic ${btoa("maria:secret")}`)
      return answer(
        401,
        { "content-type": "application/json" },
        '{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}',
      );
    if (request.method === "POST" && form.get("refresh_token") !== "refresh-me") return answer(401);
    const token = options.issue?.(scopes) ?? `token-${issued++}`;
    granted.set(token, scopes);
    const refresh = form.get("offline_token") === "true" ? { refresh_token: "refresh-me" } : {};
    const expires = options.expiresIn === undefined ? {} : { expires_in: options.expiresIn };
    return answer(200, {}, JSON.stringify({ token, ...expires, ...refresh }));
  };
  const scopesOf = async (token: string) => granted.get(token) ?? null;
  return { service, scopesOf, granted };
}

async function withTokens(options: Parameters<typeof tokenService>[0] = {}) {
  const tokens = tokenService(options);
  const auth = tokenAuth({ realm: "https://auth.test/token", service: "registry.test", scopesOf: tokens.scopesOf });
  const registry = await registryInMemory({ auth });
  const watched = seeing(fetchWithin({ "registry.test": registry.fetch, "auth.test": tokens.service }));
  return { ...registry, ...watched, granted: tokens.granted };
}

test("a token is fetched for what the request is about, and used again while it is good", async () => {
  const { fetch, store, seen, granted } = await withTokens({ expiresIn: 300 });
  const blob = await stock(store, encodeText("hello"));
  const { repository, clock } = customerOf(fetch);
  await collected(blobFrom(repository, blob, 0));
  assert.deepEqual([...granted.values()], [["repository:team/app:pull,push"]]);
  const before = seen.length;
  await collected(blobFrom(repository, blob, 0));
  assert.equal(seen.length, before + 1, "one request when the token is known");
  clock.advance(299_000);
  await collected(blobFrom(repository, blob, 0));
  assert.equal(seen.length, before + 3, "a token that ends soon is fetched anew");
});

test("a token the registry takes back is fetched once more, and then it is an error", async () => {
  const { fetch, store, granted } = await withTokens();
  const blob = await stock(store, encodeText("hello"));
  const { repository } = customerOf(fetch);
  await collected(blobFrom(repository, blob, 0));
  granted.clear();
  await collected(blobFrom(repository, blob, 0));
  const never = await withTokens({ issue: () => "the same" });
  never.granted.set = () => never.granted;
  const other = customerOf(never.fetch);
  await assert.rejects(other.repository.tags(), /unauthorized/);
  assert.ok(never.seen.length <= 4, `${never.seen.length} requests`);
});

test("a refresh token is handed in for a token, and the password is not sent then", async () => {
  const { fetch, seen, statuses } = await withTokens();
  const { client } = customerOf(fetch);
  const { identityToken } = await client.login("registry.test", { credentials: maria, signal: null });
  assert.equal(identityToken, "refresh-me");
  seen.length = 0;
  const asker = { credentials: { ...anonymous, username: "maria", identityToken: "refresh-me" }, signal: null };
  await client.at("registry.test", asker, (connection) => client.repository(connection, "team/app").head("1"));
  assert.deepEqual(
    seen.map(({ method, url }) => `${method} ${new URL(url).host}`).filter((each) => each.includes("auth")),
    ["POST auth.test"],
  );
  assert.ok(seen.every(({ headers }) => !(headers["authorization"] ?? "").startsWith("Basic")));
  assert.equal(statuses.at(-1), 404);
});

test("a wrong password is told in the words of whoever refused it", async () => {
  const wrong = { credentials: { ...maria, password: "wrong" }, signal: null };
  const tokens = await withTokens();
  await assert.rejects(customerOf(tokens.fetch).client.login("registry.test", wrong), /incorrect username or password/);
  const basic = await registryInMemory({ auth: basicAuth("x", isMaria) });
  const fetch = fetchWithin({ "registry.test": basic.fetch });
  await assert.rejects(
    customerOf(fetch).client.login("registry.test", wrong),
    /login attempt to \S+ failed with status: 401 Unauthorized/,
  );
  await customerOf(fetch).client.login("registry.test", { credentials: maria, signal: null });
});

test("without a login a registry that wants one says what to do", async () => {
  const { fetch } = await registryInMemory({ auth: basicAuth("x", isMaria) });
  await assert.rejects(
    customerOf(fetch).repository.tags(),
    /no basic auth credentials; log in with: tsbox login registry\.test/,
  );
});

test("a server that answers every request with 401 is asked twice", async () => {
  const { fetch, seen } = seeing(async () => answer(401, { "www-authenticate": 'Basic realm="x"' }));
  await assert.rejects(customerOf(fetch, { asker: { credentials: maria } }).repository.tags(), /401|unauthorized/);
  assert.equal(seen.length, 2);
});

test("logins go to no realm in plain HTTP, nor to one on this machine", async () => {
  const base = { insecure: false, mirror: false };
  for (const [realm, why] of [
    ["http://auth.example/token", /in plain HTTP/],
    ["https://127.0.0.1/token", /an address of this machine/],
    ["file:///etc/passwd", /which is no URL/],
    ["https://user@auth.example/", /which is no URL/],
  ] as const) {
    const { fetch, seen } = seeing(async () => answer(401, { "www-authenticate": `Bearer realm="${realm}"` }));
    const { client } = customerOf(fetch);
    await assert.rejects(
      client.at("registry.example", { credentials: maria, signal: null }, (connection) =>
        client.repository(connection, "a").tags(),
      ),
      why,
    );
    assert.equal(seen.length, 1, `${realm}: ${JSON.stringify(base)}`);
  }
});

test("credentials stay at the registry when it redirects to another host", async () => {
  const text = "the blob lies elsewhere";
  const blob = { digest: digestOfText(text), size: text.length };
  const registry: Fetch = async ({ headers }) =>
    headers["authorization"] === undefined
      ? answer(401, { "www-authenticate": 'Basic realm="x"' })
      : answer(307, { location: "http://store.test/blob?signature=1" });
  const { fetch, seen } = seeing(
    fetchWithin({ "registry.test": registry, "store.test": async () => answer(200, {}, text) }),
  );
  const { repository } = customerOf(fetch, { asker: { credentials: maria } });
  assert.equal(new TextDecoder().decode(await collected(blobFrom(repository, blob, 0))), text);
  const [stored] = seen.filter(({ url }) => url.includes("store.test"));
  assert.equal(stored?.headers["authorization"], undefined);
});

test("redirects lead neither to this machine, nor out of TLS, nor on for ever", async () => {
  const cases: [location: string, why: RegExp][] = [
    ["http://127.0.0.1:2375/containers/json", /in plain HTTP|an address of this machine/],
    ["https://localhost/x", /an address of this machine/],
    ["https://169.254.169.254/latest/meta-data", /an address of this machine/],
    ["http://other.example/", /in plain HTTP/],
    ["file:///etc/shadow", /in file:/],
    ["https://a:b@other.example/", /with a password/],
    ["https://registry.example/again", /redirects more than 5 times/],
  ];
  for (const [location, why] of cases) {
    const { client } = customerOf(async () => answer(302, { location }));
    const work = client.at("registry.example", { credentials: anonymous, signal: null }, (connection) =>
      client.repository(connection, "a").tags(),
    );
    await assert.rejects(work, why, location);
  }
});

test("what may pass is tried again, with growing pauses or as long as the server asks for", async () => {
  const plans: [answers: (() => Promise<ReturnType<typeof answer>>)[], waits: number[]][] = [
    [
      [async () => answer(503), async () => answer(500)],
      [500, 1000],
    ],
    [[async () => answer(429, { "retry-after": "7" })], [7000]],
    [[async () => answer(429, { "retry-after": "Thu, 01 Jan 2026 00:00:09 GMT" })], [9000]],
    [[async () => Promise.reject(networkError("broken", "cut"))], [500]],
  ];
  for (const [answers, waits] of plans) {
    const rest = [...answers, async () => answer(200, {}, '{"tags":["1"]}')];
    const { repository, clock } = customerOf(() => (rest.shift() as () => Promise<ReturnType<typeof answer>>)());
    assert.deepEqual(await repository.tags(), ["1"]);
    assert.deepEqual(clock.waits, waits);
  }
});

test("what will not pass is not tried again", async () => {
  for (const refusal of [answer(404), answer(403), answer(400), answer(429, { "retry-after": "86400" })]) {
    const { fetch, seen } = seeing(async () => refusal);
    await assert.rejects(customerOf(fetch).repository.tags());
    assert.equal(seen.length, 1);
  }
  const { fetch, seen } = seeing(async () => answer(500));
  await assert.rejects(customerOf(fetch).repository.tags(), /status 500/);
  assert.equal(seen.length, 5);
});

test("a registry that may be plain is asked in TLS first, and afterwards only as it answered", async () => {
  const { fetch: plain, store } = await registryInMemory();
  await store.setTag("team/app", "1", digestOfText(""));
  const { fetch, seen } = seeing(async (request) => {
    if (request.url.startsWith("https:")) throw networkError("plain", "no TLS");
    return plain(request);
  });
  const { client, asker } = customerOf(fetch);
  const tags = () =>
    client.at("127.0.0.1:5000", asker, (connection) => client.repository(connection, "team/app").tags());
  assert.deepEqual(await tags(), ["1"]);
  assert.deepEqual(await tags(), ["1"]);
  assert.deepEqual(
    seen.map(({ url }) => new URL(url).protocol),
    ["https:", "http:", "http:"],
  );
});

test("a mirror that fails is passed over and is not told the login; the registry has the last word", async () => {
  const { fetch: own, store } = await registryInMemory({ auth: basicAuth("x", isMaria) });
  await store.setTag("library/app", "1", digestOfText(""));
  const { fetch, seen } = seeing(
    fetchWithin({ "mirror.example": async () => answer(404), "registry-1.docker.io": own }),
  );
  const config = { mirrors: ["https://mirror.example"] };
  const { client, asker } = customerOf(fetch, { config, asker: { credentials: maria } });
  const tags = (name: string) =>
    client.at("docker.io", asker, (connection) => client.repository(connection, name).tags());
  assert.deepEqual(await tags("library/app"), ["1"]);
  assert.ok(
    seen.filter(({ url }) => url.includes("mirror")).every(({ headers }) => headers["authorization"] === undefined),
  );
  await assert.rejects(tags("library/none"), /name unknown/);
});

test("lists that come in pages are read to their end, and only at the registry", async () => {
  const pages = [
    answer(200, { link: '</v2/team/app/tags/list?last=b&n=2>; rel="next"' }, '{"tags":["a","b"]}'),
    answer(200, {}, '{"tags":["c"]}'),
  ];
  const { repository } = customerOf(async () => pages.shift() ?? answer(500));
  assert.deepEqual(await repository.tags(), ["a", "b", "c"]);
  const endless = customerOf(async () => answer(200, { link: "<?n=1>; rel=next" }, '{"tags":["a"]}'));
  await assert.rejects(endless.repository.tags(), /more than 1000 pages/);
});

test("what refers to a manifest is found, also where a registry keeps it under a tag", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { repository } = customerOf(own);
  const subject = digestOfText("an image");
  const manifest = (artifactType: string) =>
    encodeText(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        artifactType,
        subject: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: subject, size: 8 },
      }),
    );
  const type = "application/vnd.oci.image.manifest.v1+json";
  const signature = await repository.putManifest("signed", manifest("example/signature"), type);
  assert.deepEqual(await repository.referrers(subject), [{ digest: signature, artifactType: "example/signature" }]);
  assert.deepEqual(await repository.referrers(signature), []);
  const older: Fetch = (request) => (request.url.includes("/referrers/") ? Promise.resolve(answer(404)) : own(request));
  const index = JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType: type, digest: signature, size: 1 }] });
  const digest = digestOfText(index);
  await store.putManifest("team/app", {
    digest,
    mediaType: "application/vnd.oci.image.index.v1+json",
    bytes: encodeText(index),
  });
  await store.setTag("team/app", subject.replace(":", "-"), digest);
  assert.deepEqual(await customerOf(older).repository.referrers(subject), [{ digest: signature, artifactType: "" }]);
  assert.deepEqual(await customerOf(older).repository.referrers(signature), []);
});

test("search asks as docker search does, and through the catalog where there is no search", async () => {
  const { fetch: own, store } = await registryInMemory();
  await store.setTag("team/nginx", "1", digestOfText(""));
  const withoutSearch: Fetch = (request) =>
    request.url.includes("/v1/") ? Promise.resolve(answer(404)) : own(request);
  for (const registry of [own, withoutSearch]) {
    const { client, asker } = customerOf(fetchWithin({ "localhost:5000": registry }));
    const found = await client.search("localhost:5000/nginx", 25, asker);
    assert.deepEqual(found, [{ name: "team/nginx", description: "", stars: 0, official: false, automated: false }]);
  }
  const hub = seeing(async () =>
    answer(200, {}, '{"results":[{"name":"nginx","description":"web","star_count":9,"is_official":true}]}'),
  );
  const { client, asker } = customerOf(hub.fetch);
  assert.deepEqual(await client.search("nginx", 5, asker), [
    { name: "nginx", description: "web", stars: 9, official: true, automated: false },
  ]);
  assert.equal(hub.seen[0]?.url, "https://index.docker.io/v1/search?q=nginx&n=5");
});

test("a page says why it cannot reach a registry", async () => {
  const { client, asker } = customerOf(fetchWithin({ "registry.sim:5000": async () => answer(200) }));
  await assert.rejects(
    client.at("docker.io", asker, (connection) => client.repository(connection, "library/busybox").tags()),
    /cannot reach registry-1\.docker\.io from a page: .*reachable here: registry\.sim:5000/,
  );
});

test("only the errors of the distribution API are repeated, and nothing that moves a cursor", async () => {
  const says = (type: string, body: string) =>
    customerOf(async () => answer(403, { "content-type": type }, body)).repository.tags();
  await assert.rejects(
    says("text/html", "<h1>secrets of another host</h1>"),
    (thrown: Error) => !thrown.message.includes("secrets"),
  );
  await assert.rejects(
    says("application/json", JSON.stringify({ errors: [{ code: "DENIED", message: "no\u001b[2J" }] })),
    (thrown: Error) => thrown.message.includes("denied: no") && !thrown.message.includes("\u001b"),
  );
});
