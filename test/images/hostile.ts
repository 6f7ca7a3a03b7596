/** Archives that lie, climb, lack something or never end, and what each must be refused with. */
import { gzipSync } from "node:zlib";
import { type ByteStream, concat, encodeText, streamOf } from "../../core/base/bytes.ts";
import type { ErrorCode } from "../../core/base/error.ts";
import { mediaTypes } from "../../core/image/descriptor.ts";
import { formatIndex } from "../../core/image/index.ts";
import type { TarItem } from "../../core/image/tar-write.ts";
import { directory, dockerArchive, entry, layer, layerOf, layoutArchive, link, tarOf } from "./forge.ts";

export interface Hostile {
  readonly name: string;
  readonly make: () => Promise<ByteStream>;
  readonly code: ErrorCode;
  /** In the message: the thing that is wrong, named. */
  readonly says: RegExp;
  /** Only a real file tree notices. */
  readonly onDiskOnly?: boolean;
}

const zeros = "0".repeat(64);
const good = (): ReturnType<typeof layerOf> => layerOf(directory("etc/"), entry("etc/hello", "hello\n"));

function corrupt(name: string, says: RegExp, make: () => Promise<Uint8Array | ByteStream>): Hostile {
  return { name, code: "corrupt", says, make: async () => asStream(await make()) };
}

function asStream(made: Uint8Array | ByteStream): ByteStream {
  return made instanceof Uint8Array ? streamOf(made) : made;
}

/** An archive whose only layer has these entries. */
function withLayer(name: string, says: RegExp, ...items: readonly TarItem[]): Hostile {
  return corrupt(name, says, async () => dockerArchive({ layers: [await layerOf(...items)] }));
}

const layers: readonly Hostile[] = [
  withLayer("a name that climbs", /entry "\.\.\/escape" at byte 0 leads outside of the image/, entry("../escape", "x")),
  withLayer("a name that climbs later", /"a\/\.\.\/\.\.\/escape" .* leads outside/, entry("a/../../escape", "x")),
  withLayer(
    "a hard link out of the image",
    /"passwd" .* is a hard link to "\.\.\/\.\.\/etc\/passwd", outside of the image/,
    link("hardlink", "passwd", "../../etc/passwd"),
  ),
  withLayer("a hard link to itself", /"loop" .* is a hard link to itself/, link("hardlink", "loop", "./loop")),
  withLayer("a hard link to the root", /"loop" .* is a hard link to nothing/, link("hardlink", "loop", "/")),
  {
    ...withLayer(
      "a hard link to what is not there",
      /layer sha256:.*: name: no such file or directory/,
      link("hardlink", "name", "absent"),
    ),
    onDiskOnly: true,
  },
  withLayer("a symlink to nothing", /"soft" .* is a symlink to nothing/, link("symlink", "soft", "")),
  withLayer("the root as a file", /"\." .* would replace the root directory/, entry(".", "x")),
  withLayer("the root as a symlink", /"\/" .* would replace the root/, link("symlink", "/", "/etc")),
  withLayer(
    "a device that cannot be",
    /"disk" .* is a device with the numbers 2000000:0/,
    entry("disk", "", { kind: "block", major: 2_000_000 }),
  ),
  withLayer("an owner that cannot be", /"file" .* belongs to user 4294967295/, entry("file", "", { uid: 0xffffffff })),
  withLayer("a whiteout of the directory itself", /"etc\/\.wh\.\." .* is no whiteout/, entry("etc/.wh..")),
  withLayer("a whiteout of the parent", /"etc\/\.wh\.\.\." .* is no whiteout/, entry("etc/.wh...")),
  withLayer("a whiteout of nothing", /"\.wh\." .* is no whiteout/, entry(".wh.")),
  withLayer("a reserved whiteout", /"\.wh\.\.wh\.plnk" .* the name is reserved/, entry(".wh..wh.plnk")),
  withLayer("deep nesting", /has a path of more than 4095 bytes/, directory(`${"d/".repeat(3000)}`)),
  {
    ...withLayer("a name too long for a file system", /layer sha256:.*name too long/, entry("n".repeat(300), "x")),
    onDiskOnly: true,
  },
  {
    ...withLayer(
      "a file as a directory",
      /layer sha256:.*not a directory/,
      entry("file", "x"),
      entry("file/inside", "y"),
    ),
    onDiskOnly: true,
  },
  corrupt("a layer that is no tar", /layer sha256:.* at byte 0: not a tar header/, () =>
    dockerArchive({ layers: [layer(encodeText("garbage".repeat(200)))] }),
  ),
  corrupt("a size that lies", /entry "big" at byte 0: truncated: it promises 1073741824 bytes/, async () => {
    const tar = await tarOf(entry("big", "small"));
    return dockerArchive({ layers: [layer(claiming(tar, 2 ** 30))] });
  }),
  corrupt("a size beyond all measure", /its size is -?\d+|its size is not a number/, async () => {
    const tar = (await tarOf(entry("big", "small"))).slice();
    tar.fill(0xff, 125, 136).fill(0xbf, 124, 125);
    return dockerArchive({ layers: [layer(summed(tar))] });
  }),
  corrupt("an extended header of two gigabytes", /an extended header of 2147483648 bytes/, async () => {
    const tar = claiming(await tarOf(entry("pax")), 2 ** 31);
    tar.set(encodeText("x"), 156);
    return dockerArchive({ layers: [layer(summed(tar))] });
  }),
  corrupt("a zero byte in a long name", /whose path has a zero byte/, async () => {
    const records = "12 path=a\0b\n";
    const tar = await tarOf(entry("pax", records), entry("victim"));
    tar.set(encodeText("x"), 156);
    return dockerArchive({ layers: [layer(summed(tar))] });
  }),
  corrupt(
    "a pax record that overrides a name by one that climbs",
    /"\.\.\/\.\.\/escape" .* leads outside/,
    async () => {
      const tar = await tarOf(entry("pax", "21 path=../../escape\n"), entry("victim", "x"));
      return dockerArchive({ layers: [layer(typed(tar, "x"))] });
    },
  ),
  corrupt("a GNU long name that climbs", /"\.\.\/\.\.\/escape" .* leads outside/, async () => {
    const tar = await tarOf(entry("././@LongLink", "../../escape\0"), entry("victim", "x"));
    return dockerArchive({ layers: [layer(typed(tar, "L"))] });
  }),
  corrupt(
    "a GNU long link name that climbs",
    /"victim" .* is a hard link to "\.\.\/etc\/passwd", outside/,
    async () => {
      const tar = await tarOf(entry("././@LongLink", "../etc/passwd\0"), link("hardlink", "victim", "other"));
      return dockerArchive({ layers: [layer(typed(tar, "K"))] });
    },
  ),
  corrupt("a wrong checksum in the middle", /at byte 1024: not a tar header: its checksum is wrong/, async () => {
    const tar = (await tarOf(entry("first", "x"), entry("second", "y"))).slice();
    tar.set(encodeText("0123456"), 1024 + 148);
    return dockerArchive({ layers: [layer(tar)] });
  }),
  corrupt("a negative size", /its size is -\d+/, async () => {
    const tar = (await tarOf(entry("big", "small"))).slice();
    tar.fill(0xff, 124, 136);
    return dockerArchive({ layers: [layer(summed(tar))] });
  }),
  corrupt("a bomb", /makes it unpack to more than 64 GiB or 8000000 entries/, async () => {
    const tar = (await tarOf(entry("zeros"))).slice();
    tar.fill(0, 124, 136).set([0x80, 0, 0, 0, 0, 0, 0, 0x20], 124); // 128 GiB in base 256
    return dockerArchive({ layers: [layer(summed(tar), { gzip: true })] });
  }),
  corrupt("a bomb that lies about its digest", /layer sha256:0+: its uncompressed content has the digest/, async () => {
    const bomb = concat([await tarOf(entry("small", "x")), new Uint8Array(64 * 1024 * 1024)]);
    return dockerArchive({ layers: [layer(bomb, { gzip: true, diffId: `sha256:${zeros}` })] });
  }),
  corrupt("a compressed layer that lies about its digest", /layer sha256:0+: its uncompressed content has/, async () =>
    dockerArchive({ layers: [layer((await good()).bytes, { gzip: true, diffId: `sha256:${zeros}` })] }),
  ),
  corrupt("a plain layer that lies about its digest", /layer 0 \(sha256:0+\): its content has the digest/, async () =>
    dockerArchive({ layers: [{ ...(await good()), diffId: `sha256:${zeros}` }] }),
  ),
  corrupt("a second layer that lies", /layer sha256:0+: its uncompressed content has the digest/, async () => {
    const second = layer(await tarOf(entry("second", "x")), { gzip: true, diffId: `sha256:${zeros}` });
    return dockerArchive({ layers: [await good(), second] });
  }),
  corrupt("a compressed layer cut short", /layer sha256:.*not a whole gzip stream/, async () => {
    const { bytes, diffId } = layer(await tarOf(entry("a", "x".repeat(100_000))), { gzip: true });
    return dockerArchive({ layers: [{ bytes: bytes.subarray(0, bytes.length - 20), diffId }] });
  }),
];

const archives: readonly Hostile[] = [
  corrupt("nothing", /it is empty/, () => Promise.resolve(new Uint8Array(0))),
  corrupt("no tar", /the archive: at byte 0: not a tar header/, () => Promise.resolve(encodeText("x".repeat(2000)))),
  corrupt("a broken gzip stream", /the archive: not a whole gzip stream/, async () => {
    const whole = gzipSync(await dockerArchive({ layers: [await good()] }));
    return whole.subarray(0, whole.length / 2);
  }),
  {
    name: "a bzip2 stream",
    code: "unsupported",
    says: /the archive is compressed with bzip2/,
    make: () => Promise.resolve(streamOf(encodeText("BZh91AY&SY"))),
  },
  corrupt("a tar of something else", /it has neither manifest\.json .* nor index\.json/, () =>
    tarOf(entry("README", "x")),
  ),
  corrupt("an entry that climbs", /entry "\.\.\/manifest\.json" leads outside/, () => tarOf(entry("../manifest.json"))),
  corrupt("a device among the files", /entry "sda" is a device/, () =>
    tarOf(entry("sda", "", { kind: "block", major: 8 })),
  ),
  corrupt("a million entries", /more than 16384 entries/, () => Promise.resolve(endless())),
  corrupt("manifest.json that is no JSON", /manifest\.json is not JSON/, () => tarOf(entry("manifest.json", "{"))),
  corrupt("manifest.json that is no list", /manifest\.json is not a list/, () => tarOf(entry("manifest.json", "{}"))),
  corrupt("manifest.json without images", /manifest\.json names no image/, () => tarOf(entry("manifest.json", "[]"))),
  corrupt("manifest.json nested without end", /manifest\.json/, () =>
    tarOf(entry("manifest.json", "[".repeat(1_000_000))),
  ),
  corrupt("manifest.json of five megabytes", /manifest\.json is 5242880 bytes; at most 4194304/, () =>
    tarOf(entry("manifest.json", " ".repeat(5 * 1024 * 1024))),
  ),
  corrupt("a configuration that is not there", /its configuration absent\.json is not in the archive/, () =>
    dockerArchive({ manifest: { Config: "absent.json" } }),
  ),
  corrupt("a configuration outside", /configuration \.\.\/x leads outside/, () =>
    dockerArchive({ manifest: { Config: "../x" } }),
  ),
  corrupt("a layer that is not there", /its layer absent\/layer\.tar is not in the archive/, async () =>
    dockerArchive({ layers: [await good()], manifest: { Layers: ["absent/layer.tar"] } }),
  ),
  corrupt("a layer that is a link in a circle", /its layer 1\/layer\.tar is not in the archive/, async () =>
    dockerArchive({
      layers: [await good()],
      manifest: { Layers: ["1/layer.tar"] },
      extra: [link("symlink", "1/layer.tar", "../2/layer.tar"), link("symlink", "2/layer.tar", "../1/layer.tar")],
    }),
  ),
  corrupt("a configuration without rootfs", /configuration sha256:\w+ has no rootfs/, async () =>
    dockerArchive({ layers: [await good()], config: { rootfs: undefined } }),
  ),
  corrupt("a rootfs of another type", /rootfs\.type is "snapshots"/, async () =>
    dockerArchive({ layers: [await good()], config: { rootfs: { type: "snapshots", diff_ids: [] } } }),
  ),
  corrupt("fewer diff ids than layers", /rootfs has 0 layers, the image comes with 1/, async () =>
    dockerArchive({ layers: [await good()], config: { rootfs: { type: "layers", diff_ids: [] } } }),
  ),
  corrupt("a diff id that is none", /rootfs\.diff_ids 0 is "\.\.\/x"/, async () =>
    dockerArchive({ layers: [{ ...(await good()), diffId: "../x" }] }),
  ),
  corrupt("an environment that is no list", /config\.Env is not a list/, async () =>
    dockerArchive({ layers: [await good()], config: { config: { Env: "PATH=/" } } }),
  ),
  corrupt("a name that is none", /RepoTags: "UPPER" is not an image's name/, async () =>
    dockerArchive({ layers: [await good()], names: ["UPPER"] }),
  ),
  corrupt("a layout without its mark", /oci-layout is not in the archive/, () => layoutArchive({ layout: null })),
  corrupt("a layout of the future", /imageLayoutVersion is "2\.0\.0"/, () =>
    layoutArchive({ layout: encodeText(JSON.stringify({ imageLayoutVersion: "2.0.0" })) }),
  ),
  corrupt("a blob that is not its digest", new RegExp(`blobs/sha256/${zeros}: its content has the digest`), () =>
    layoutArchive({ extra: [entry(`blobs/sha256/${zeros}`, "x")] }),
  ),
  corrupt("a blob of another size", /layer sha256:\w+: it should have 7 bytes and has \d+/, async () =>
    layoutArchive({ layers: [await good()], descriptor: (each) => ({ ...each, size: 7 }) }),
  ),
  corrupt("a blob that is not there", new RegExp(`layer sha256:${zeros} is not in the archive`), async () =>
    layoutArchive({ layers: [await good()], descriptor: (each) => ({ ...each, digest: `sha256:${zeros}` }) }),
  ),
  corrupt("a digest that is a path", /digest "sha256:\.\.\/\.\.\/x" is not sha256/, async () =>
    layoutArchive({ layers: [await good()], descriptor: (each) => ({ ...each, digest: "sha256:../../x" }) }),
  ),
  corrupt("a manifest of schema 1", /schemaVersion is 1, expected 2/, () =>
    layoutArchive({ manifest: { schemaVersion: 1 } }),
  ),
  corrupt("an index for other platforms", /has no image for linux\/amd64/, () =>
    layoutArchive({
      top: ({ annotations: _, ...manifest }, put) =>
        put(mediaTypes.index, formatIndex([{ ...manifest, platform: { os: "plan9", architecture: "mips" } }])),
    }),
  ),
  corrupt("indexes within indexes", /indexes are nested too deep/, () =>
    layoutArchive({
      top: ({ annotations: _, ...manifest }, put) => {
        let top = manifest;
        const platform = { os: "linux", architecture: "amd64" };
        for (let depth = 0; depth < 5; depth++) top = put(mediaTypes.index, formatIndex([{ ...top, platform }]));
        return top;
      },
    }),
  ),
  corrupt("an index without images", /index\.json names no image/, () =>
    layoutArchive({ top: (each) => ({ ...each, mediaType: "text/plain" }) }),
  ),
];

export const hostileArchives: readonly Hostile[] = [...layers, ...archives];

/** The tar with its first entry's size set; its checksum fits. */
function claiming(tar: Uint8Array, size: number): Uint8Array {
  const copy = tar.slice();
  copy.set(encodeText(`${size.toString(8).padStart(11, "0")}\0`), 124);
  return summed(copy);
}

/** The tar with another type of its first entry; its checksum fits. */
function typed(tar: Uint8Array, type: string): Uint8Array {
  const copy = tar.slice();
  copy.set(encodeText(type), 156);
  return summed(copy);
}

/** The tar with the checksum of its first header made right. */
function summed(tar: Uint8Array): Uint8Array {
  const copy = tar.slice();
  copy.set(encodeText("        "), 148);
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.set(encodeText(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return copy;
}

/** An archive of empty files that does not end. */
async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
  const header = (await tarOf(entry("again"))).subarray(0, 512);
  const many = concat(Array<Uint8Array>(128).fill(header));
  for (;;) yield many;
}

/** Not hostile: an image that is there before and must be there after. */
export async function harmless(): Promise<Uint8Array> {
  return dockerArchive({ layers: [await good()] });
}
