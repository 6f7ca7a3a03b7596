/** Base64, in both alphabets (RFC 4648): logins and passwords travel so. */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** RFC 4648, section 4. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [one = 0, two = 0, three = 0] = bytes.subarray(at, at + 3);
    const word = (one << 16) | (two << 8) | three;
    const sextet = (shift: number): string => alphabet[(word >> shift) & 63] ?? "";
    text += sextet(18) + sextet(12);
    text += at + 1 < bytes.length ? sextet(6) : "=";
    text += at + 2 < bytes.length ? sextet(0) : "=";
  }
  return text;
}

/** Also the alphabet of URLs, with or without "=" (RFC 4648, section 5). Null for what is no base64. */
export function fromBase64(text: string): Uint8Array | null {
  const digits = text.replace(/\s/g, "").replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(digits) || digits.length % 4 === 1) return null;
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let word = 0;
  for (let at = 0, bits = 0, out = 0; at < digits.length; at++) {
    word = ((word << 6) | alphabet.indexOf(digits[at] ?? "A")) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[out++] = (word >> bits) & 0xff;
  }
  return bytes;
}
