/** The shapes an answer can have, each made in one place. JSON ends with a newline, as Docker's does. */
import type { ByteStream } from "../core/base/bytes.ts";
import { encodeText } from "../core/base/bytes.ts";
import type { Hijack, Reply } from "./http.ts";

export function jsonReply(status: number, value: unknown): Reply {
  return jsonTextReply(status, JSON.stringify(value));
}

/** JSON that is text already. */
export function jsonTextReply(status: number, json: string): Reply {
  return {
    kind: "reply",
    status,
    headers: { "content-type": "application/json" },
    body: encodeText(`${json}\n`),
  };
}

/** No body and no Content-Type: 204 and 304, and Docker's 200 and 201 that say nothing. */
export function emptyReply(status: number): Reply {
  return { kind: "reply", status, headers: {}, body: status === 204 || status === 304 ? null : new Uint8Array() };
}

/** A body that comes bit by bit; its headers go out at once. */
export function streamReply(contentType: string, body: ByteStream): Reply {
  return { kind: "reply", status: 200, headers: { "content-type": contentType }, body };
}

export function textReply(text: string): Reply {
  return {
    kind: "reply",
    status: 200,
    headers: { "content-type": "text/plain; charset=utf-8" },
    body: encodeText(text),
  };
}

/** 101 for a client that asked for an upgrade, else 200 with a body that ends with the connection. */
export function hijackReply(upgrade: boolean, contentType: string, duplex: Hijack["duplex"]): Hijack {
  return {
    kind: "hijack",
    status: upgrade ? 101 : 200,
    headers: { "content-type": contentType, ...(upgrade ? { connection: "Upgrade", upgrade: "tcp" } : {}) },
    duplex,
  };
}
