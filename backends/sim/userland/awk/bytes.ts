/**
 * awk's texts: a character is a byte (Latin-1), as in the C locale, so that lengths, places and patterns count bytes.
 * Texts become bytes where they come in (program, operands, environment, records) and texts again where they go out.
 */
import { decodeBytes, encodeText } from "../../../../core/base/bytes.ts";

const sliceBytes = 8192;

export function fromBytes(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += sliceBytes)
    text += String.fromCharCode(...bytes.subarray(at, at + sliceBytes));
  return text;
}

export function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function bytewise(text: string): string {
  return isAscii(text) ? text : fromBytes(encodeText(text));
}

/** The inverse of `bytewise`. */
export function readable(text: string): string {
  return isAscii(text) ? text : decodeBytes(toBytes(text));
}

function isAscii(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(text);
}
