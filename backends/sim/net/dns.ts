/** DNS messages (RFC 1035): questions for addresses and their answers, as bytes. What is hostile or cut short throws EINVAL. */
import { concat, decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { Errno } from "../../../core/base/errno.ts";
import { formatIpv4, type Ipv4, parseIpv4 } from "./address.ts";

export type RecordType = "A" | "AAAA" | "PTR" | "CNAME";
export type ResponseCode = "NOERROR" | "FORMERR" | "SERVFAIL" | "NXDOMAIN" | "NOTIMP" | "REFUSED";

export interface Question {
  readonly name: string;
  readonly type: RecordType | number;
}

export interface Answer {
  readonly name: string;
  readonly ttl: number;
  readonly data:
    | { readonly type: "A"; readonly address: Ipv4 }
    | { readonly type: "CNAME" | "PTR"; readonly target: string };
}

export interface Message {
  readonly id: number;
  readonly isResponse: boolean;
  readonly code: ResponseCode;
  readonly question: Question;
  readonly answers: readonly Answer[];
}

const typeNumbers = { A: 1, CNAME: 5, PTR: 12, AAAA: 28 } as const;
const codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] as const;
const internet = 1;
const headerBytes = 12;
const nameBytesMax = 255;
const labelBytesMax = 63;
const answersMax = 64;
/** Recursion desired, and available in answers. */
const flags = { response: 0x8000, desired: 0x0100, available: 0x0080 };

export function encodeMessage({ id, isResponse, code, question, answers }: Message): Uint8Array {
  const bits = isResponse ? flags.response | flags.available | codes.indexOf(code) : 0;
  const header = [id, bits | flags.desired, 1, answers.length, 0, 0].map(short);
  return concat([...header, encodeQuestion(question), ...answers.map(encodeAnswer)]);
}

function encodeQuestion({ name, type }: Question): Uint8Array {
  return concat([encodeName(name), short(typeof type === "number" ? type : typeNumbers[type]), short(internet)]);
}

function encodeAnswer({ name, ttl, data }: Answer): Uint8Array {
  const bytes = data.type === "A" ? long(data.address) : encodeName(data.target);
  return concat([
    encodeName(name),
    short(typeNumbers[data.type]),
    short(internet),
    long(ttl),
    short(bytes.length),
    bytes,
  ]);
}

/** EINVAL for a name that is too long or has an empty label. */
export function encodeName(name: string): Uint8Array {
  const labels = name.replace(/\.$/, "").split(".").map(encodeText);
  const isValid = labels.every(({ length }) => length > 0 && length <= labelBytesMax);
  const encoded = concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), Uint8Array.of(0)]);
  if (!isValid || encoded.length > nameBytesMax) throw new Errno("EINVAL", name);
  return encoded;
}

export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length < headerBytes) throw new Errno("EINVAL");
  const reader = new Reader(bytes);
  const [id, bits, questions, answers] = [reader.short(), reader.short(), reader.short(), reader.short()];
  reader.skip(4);
  if (questions !== 1 || answers > answersMax) throw new Errno("EINVAL");
  const question = { name: reader.name(), type: typeName(reader.short()) };
  reader.skip(2);
  const all = Array.from({ length: answers }, () => reader.answer()).filter((answer) => answer !== null);
  return {
    id,
    isResponse: (bits & flags.response) !== 0,
    code: codes[bits & 15] ?? "SERVFAIL",
    question,
    answers: all,
  };
}

/** "172.17.0.2" as the name that a question for its name asks about. */
export function reverseName(address: Ipv4): string {
  return `${formatIpv4(address).split(".").toReversed().join(".")}.in-addr.arpa`;
}

/** The address a reverse name stands for; null for any other name. */
export function addressOfReverseName(name: string): Ipv4 | null {
  const [, text] = /^([\d.]+)\.in-addr\.arpa\.?$/i.exec(name) ?? [];
  return text === undefined ? null : parseIpv4(text.split(".").toReversed().join("."));
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  skip(count: number): void {
    this.#at += count;
  }

  short(): number {
    return (this.#byte() << 8) | this.#byte();
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new Errno("EINVAL");
    return byte;
  }

  /** Names may point back to earlier ones: never forward, so that no circle can be made (RFC 1035, 4.1.4). */
  name(): string {
    const labels: string[] = [];
    let end: number | null = null;
    for (let length = this.#byte(); length !== 0; length = this.#byte()) {
      if (length >= 0xc0) {
        const start = this.#at - 1;
        const target = ((length & 0x3f) << 8) | this.#byte();
        if (target >= start) throw new Errno("EINVAL");
        end ??= this.#at;
        this.#at = target;
        continue;
      }
      labels.push(decodeBytes(this.#bytes.subarray(this.#at, this.#at + length)));
      this.skip(length);
      if (labels.length > nameBytesMax / 2) throw new Errno("EINVAL");
    }
    if (end !== null) this.#at = end;
    return labels.join(".");
  }

  /** null for a kind of record that nobody here asks for. */
  answer(): Answer | null {
    const name = this.name();
    const type = typeName(this.short());
    this.skip(2);
    const ttl = ((this.short() << 16) | this.short()) >>> 0;
    const end = this.short() + this.#at;
    const data = this.#data(type);
    this.#at = end;
    return data === null ? null : { name, ttl, data };
  }

  #data(type: RecordType | number): Answer["data"] | null {
    if (type === "A") return { type, address: (((this.short() << 16) | this.short()) >>> 0) as Ipv4 };
    return type === "CNAME" || type === "PTR" ? { type, target: this.name() } : null;
  }
}

function typeName(number: number): RecordType | number {
  const found = Object.entries(typeNumbers).find(([, value]) => value === number);
  return found === undefined ? number : (found[0] as RecordType);
}

function short(value: number): Uint8Array {
  return Uint8Array.of((value >>> 8) & 255, value & 255);
}

function long(value: number): Uint8Array {
  return Uint8Array.of((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}
