import assert from "node:assert/strict";
import test from "node:test";
import { type ByteStream, concat } from "../../base/bytes.ts";
import { blobFrom } from "./download.ts";
import { type Fetch, type HttpRequest, type HttpResponse, networkError } from "./http.ts";
import type { OutgoingBlob } from "./repository.ts";
import {
  answer,
  collected,
  customerOf,
  digestOfBytes,
  registryInMemory,
  seeing,
  stock,
} from "../../../test/registry/in-memory.ts";
import { uploadBlob } from "./upload.ts";

// Connections that break, lie and dawdle, between the client and a registry that means well.

const bytes = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7 + (at >> 3)) % 256);

/** A stream that breaks after so many bytes. */
async function* cut(stream: ByteStream, after: number): ByteStream {
  let left = after;
  for await (const chunk of stream) {
    if (chunk.length >= left) {
      if (left > 0) yield chunk.subarray(0, left);
      throw networkError("broken", "cut");
    }
    left -= chunk.length;
    yield chunk;
  }
}

/** Changes the answers to requests that match; each change is used once. */
function meddling(
  fetch: Fetch,
  concerns: (request: HttpRequest) => boolean,
  ...changes: ((response: HttpResponse) => HttpResponse)[]
): Fetch {
  const rest = [...changes];
  return async (request) => {
    const response = await fetch(request);
    const change = concerns(request) ? rest.shift() : undefined;
    return change === undefined ? response : change(response);
  };
}

const isGet = ({ method }: HttpRequest): boolean => method === "GET";

test("a download that is cut goes on where it stopped, wherever that is", async () => {
  for (const at of [0, 1, 2, 499, 500, 998, 999]) {
    const { fetch: own, store } = await registryInMemory();
    const blob = await stock(store, bytes);
    const { fetch, seen } = seeing(meddling(own, isGet, (response) => ({ ...response, body: cut(response.body, at) })));
    assert.deepEqual(await collected(blobFrom(customerOf(fetch).repository, blob, 0)), bytes, `cut at ${at}`);
    assert.deepEqual(
      seen.map(({ headers }) => headers["range"]),
      [undefined, at === 0 ? undefined : `bytes=${at}-`],
    );
  }
});

test("a download that only ever advances by a byte ends all the same", async () => {
  const { fetch: own, store } = await registryInMemory();
  const blob = await stock(store, bytes.subarray(0, 40));
  const fetch: Fetch = async (request) => {
    const response = await own(request);
    return { ...response, body: cut(response.body, 1) };
  };
  assert.deepEqual(await collected(blobFrom(customerOf(fetch).repository, blob, 0)), bytes.subarray(0, 40));
});

test("a download that never advances is given up after five attempts", async () => {
  const { fetch: own, store } = await registryInMemory();
  const blob = await stock(store, bytes);
  const { fetch, seen } = seeing(async (request) => {
    const response = await own(request);
    return { ...response, body: cut(response.body, 0) };
  });
  await assert.rejects(collected(blobFrom(customerOf(fetch).repository, blob, 0)), /cut/);
  assert.equal(seen.length, 5);
});

test("a registry that does not know ranges sends all again, and what is here is skipped", async () => {
  const { fetch: own, store } = await registryInMemory();
  const blob = await stock(store, bytes);
  const withoutRange: Fetch = (request) => own({ ...request, headers: { ...request.headers, range: "" } });
  for (const offset of [1, 500, 999]) {
    const got = await collected(blobFrom(customerOf(withoutRange).repository, blob, offset));
    assert.deepEqual(got, bytes.subarray(offset));
  }
});

test("a part that is not the one asked for is an error", async () => {
  const { fetch: own, store } = await registryInMemory();
  const blob = await stock(store, bytes);
  const shifted = meddling(own, isGet, (response) => ({
    ...response,
    headers: { ...response.headers, "content-range": "bytes 0-999/1000" },
  }));
  await assert.rejects(
    collected(blobFrom(customerOf(shifted).repository, blob, 10)),
    /asked for the bytes from 10, .* those from 0/,
  );
});

test("a blob that is longer or shorter than its manifest says is an error", async () => {
  const { fetch, store } = await registryInMemory();
  const blob = await stock(store, bytes);
  const { repository } = customerOf(fetch);
  await assert.rejects(collected(blobFrom(repository, { ...blob, size: 999 }, 0)), /sends more than its 999 bytes/);
  await assert.rejects(
    collected(blobFrom(repository, { ...blob, size: 1001 }, 0)),
    /should have 1001 bytes and has 1000/,
  );
});

test("answers that come byte by byte are as good as any", async () => {
  const { fetch: own, store } = await registryInMemory();
  const blob = await stock(store, bytes);
  const slow = meddling(own, isGet, (response) => ({ ...response, body: byteByByte(response.body) }));
  assert.deepEqual(await collected(blobFrom(customerOf(slow).repository, blob, 0)), bytes);
});

async function* byteByByte(stream: ByteStream): ByteStream {
  for await (const chunk of stream) for (let at = 0; at < chunk.length; at++) yield chunk.subarray(at, at + 1);
}

function outgoing(content: Uint8Array): OutgoingBlob {
  const open = async function* (offset: number): ByteStream {
    for (let at = offset; at < content.length; at += 100) yield content.subarray(at, at + 100);
  };
  return { digest: digestOfBytes(content), size: content.length, open };
}

async function upload(fetch: Fetch, mountFrom: readonly string[] = []) {
  const { repository } = customerOf(fetch);
  return uploadBlob(repository, outgoing(bytes), { mountFrom, onProgress: () => {} });
}

const stored = async (store: Awaited<ReturnType<typeof registryInMemory>>["store"]) =>
  collected(store.blob(digestOfBytes(bytes)));

test("a blob goes up at once, and not again", async () => {
  const { fetch: own, store } = await registryInMemory();
  const { fetch, seen } = seeing(own);
  assert.equal(await upload(fetch), "uploaded");
  assert.deepEqual(
    seen.map(({ method }) => method),
    ["HEAD", "POST", "PUT"],
  );
  assert.deepEqual(await stored(store), bytes);
  assert.equal(await upload(fetch), "exists");
});

test("a blob of another repository is mounted, and uploaded where it is not there", async () => {
  const { fetch, store } = await registryInMemory();
  const { digest } = await stock(store, bytes);
  await store.unlinkBlob("team/app", digest);
  await store.linkBlob("team/other", digest);
  assert.equal(await upload(fetch, ["team/other"]), "mounted");
  await store.unlinkBlob("team/app", digest);
  assert.equal(await upload(fetch, ["team/none"]), "uploaded");
});

test("a registry that does not take a blob at once gets it in chunks", async () => {
  const { fetch: own, store } = await registryInMemory();
  for (const status of [405, 413, 415]) {
    const { fetch, seen } = seeing(async (request) => {
      const isWhole = request.method === "PUT" && request.headers["content-length"] !== "0";
      return isWhole ? answer(status) : own(request);
    });
    await store.unlinkBlob("team/app", digestOfBytes(bytes));
    assert.equal(await upload(fetch), "uploaded");
    assert.ok(seen.some(({ method }) => method === "PATCH"));
    assert.deepEqual(await stored(store), bytes);
  }
});

test("an upload that is cut goes on after the bytes that arrived", async () => {
  for (const at of [0, 1, 2, 500, 999]) {
    const { fetch: own, store } = await registryInMemory();
    let cuts = 1;
    const sent: number[] = [];
    const fetch: Fetch = async (request) => {
      if (request.body === null || request.body instanceof Uint8Array) return own(request);
      const body = counted(request.body, sent);
      if (cuts-- <= 0) return own({ ...request, body });
      await own({ ...request, body: cut(body, at) }).catch(() => {});
      throw networkError("broken", "cut");
    };
    assert.equal(await upload(fetch), "uploaded", `cut at ${at}`);
    assert.deepEqual(await stored(store), bytes);
    // One byte cannot be told from none (Range: 0-0), so such an upload begins anew.
    const again = at <= 1 ? 0 : at;
    assert.ok(concat(sent.map((length) => new Uint8Array(length))).length <= 1000 + 1000 - again + 100, `cut at ${at}`);
  }
});

async function* counted(stream: ByteStream, sent: number[]): ByteStream {
  for await (const chunk of stream) {
    sent.push(chunk.length);
    yield chunk;
  }
}

test("an upload the registry has forgotten begins anew", async () => {
  const { fetch: own, store } = await registryInMemory();
  let forgets = 1;
  const fetch: Fetch = async (request) => {
    if (request.method !== "PUT" || forgets-- <= 0) return own(request);
    await own({ ...request, method: "DELETE", body: null });
    throw networkError("broken", "the registry was started anew");
  };
  assert.equal(await upload(fetch), "uploaded");
  assert.deepEqual(await stored(store), bytes);
});

test("a registry that stores something else than it was sent is found out", async () => {
  const { fetch: own } = await registryInMemory();
  const lying = meddling(
    own,
    ({ method }) => method === "PUT",
    (response) => ({
      ...response,
      headers: { ...response.headers, "docker-content-digest": `sha256:${"0".repeat(64)}` },
    }),
  );
  const { repository } = customerOf(lying);
  const manifest = new TextEncoder().encode('{"schemaVersion":2}');
  await assert.rejects(
    repository.putManifest("1", manifest, "application/vnd.oci.image.manifest.v1+json"),
    /the registry stored it as/,
  );
});
