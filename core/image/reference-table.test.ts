import assert from "node:assert/strict";
import test from "node:test";
import { messageOf } from "../base/error.ts";
import {
  familiarName,
  formatFamiliar,
  formatReference,
  matchesFamiliar,
  parseReference,
  tryParseReference,
} from "./reference.ts";

// The grammar of names, case by case. The names are those distribution/reference is tested with; what is
// expected of each follows from its grammar and from Docker's rules for short names.

const f64 = "f".repeat(64);
const hex = "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a";

/** What was typed; the domain, path, tag and digest it stands for. */
const parts: readonly (readonly [string, string, string, string | null, string | null])[] = [
  ["test_com", "docker.io", "library/test_com", null, null],
  ["test.com:tag", "docker.io", "library/test.com", "tag", null],
  ["test.com:5000", "docker.io", "library/test.com", "5000", null],
  ["test.com/repo:tag", "test.com", "repo", "tag", null],
  ["test:5000/repo", "test:5000", "repo", null, null],
  ["test:5000/repo:tag", "test:5000", "repo", "tag", null],
  [`test:5000/repo@sha256:${f64}`, "test:5000", "repo", null, `sha256:${f64}`],
  [`test:5000/repo:tag@sha256:${f64}`, "test:5000", "repo", "tag", `sha256:${f64}`],
  ["lowercase:Uppercase", "docker.io", "library/lowercase", "Uppercase", null],
  ["sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux", null, null],
  ["sub-dom1.foo.com/bar/baz/quux:some-long-tag", "sub-dom1.foo.com", "bar/baz/quux", "some-long-tag", null],
  [
    "b.gcr.io/test.example.com/my-app:test.example.com",
    "b.gcr.io",
    "test.example.com/my-app",
    "test.example.com",
    null,
  ],
  ["xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", "xn--n3h.com", null],
  ["xn--n3h.com:18080/foo", "xn--n3h.com:18080", "foo", null, null],
  ["foo_bar.com:8080", "docker.io", "library/foo_bar.com", "8080", null],
  ["foo/foo_bar.com:8080", "docker.io", "foo/foo_bar.com", "8080", null],
  ["192.168.1.1", "docker.io", "library/192.168.1.1", null, null],
  ["192.168.1.1:5000", "docker.io", "library/192.168.1.1", "5000", null],
  ["192.168.1.1/repo", "192.168.1.1", "repo", null, null],
  ["192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", null],
  ["[2001:db8::1]/repo", "[2001:db8::1]", "repo", null, null],
  ["[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]", "repo", "tag", null],
  [`[2001:db8::1]:5000/repo:tag@sha256:${f64}`, "[2001:db8::1]:5000", "repo", "tag", `sha256:${f64}`],
  ["[2001:db8::]:5000/repo", "[2001:db8::]:5000", "repo", null, null],
  ["[::1]:5000/repo", "[::1]:5000", "repo", null, null],
  ["[fc00:1:2:3:4:5:6:7]:5000/library/debian", "[fc00:1:2:3:4:5:6:7]:5000", "library/debian", null, null],
  ["docker/migrator", "docker.io", "docker/migrator", null, null],
  ["test_com/foo", "docker.io", "test_com/foo", null, null],
  ["localhost/foo", "localhost", "foo", null, null],
  ["docker.io/foo", "docker.io", "library/foo", null, null],
  ["index.docker.io/foo", "docker.io", "library/foo", null, null],
  ["index.docker.io/docker/docker", "docker.io", "docker/docker", null, null],
  ["docker.io/library/foo/bar", "docker.io", "library/foo/bar", null, null],
  [`docker.io/${hex}`, "docker.io", `library/${hex}`, null, null],
  [hex.slice(1), "docker.io", `library/${hex.slice(1)}`, null, null],
  ["Docker/docker", "Docker", "docker", null, null],
  ["docker-rules/docker---s", "docker.io", "docker-rules/docker---s", null, null],
  ["dock__er/docker", "docker.io", "dock__er/docker", null, null],
  [`${"a/".repeat(127)}a:tag-puts-this-over-max`, "docker.io", `${"a/".repeat(127)}a`, "tag-puts-this-over-max", null],
];

for (const [text, domain, path, tag, digest] of parts)
  test(`${text.slice(0, 60)} is taken apart`, () => {
    const reference = parseReference(text);
    assert.deepEqual({ ...reference }, { domain, path, tag, digest });
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  });

const refused: readonly (readonly [string, RegExp])[] = [
  ["", /^invalid reference format$/],
  [":justtag", /^invalid reference format$/],
  [`@sha256:${f64}`, /^invalid reference format$/],
  ["repo@sha256:ffffffffffffffffffffffffffffffffff", /^invalid checksum digest length$/],
  [`validname@invaliddigest:${f64}`, /^unsupported digest algorithm$/],
  // distribution takes it; the store of tsbox knows SHA-256 only, and says so here rather than after a pull.
  [`xn--7o8h.com/myimage:tag@sha512:${f64}${f64}`, /^unsupported digest algorithm$/],
  ["Uppercase:tag", /must be lowercase$/],
  ["test:5000/Uppercase/lowercase:tag", /must be lowercase$/],
  ["docker/Docker", /must be lowercase$/],
  [`${"a/".repeat(128)}a:tag`, /^repository name must not be more than 255 characters$/],
  ["aa/asdf$$^/aa", /^invalid reference format$/],
  ["[2001:db8::1]", /^invalid reference format$/],
  ["[2001:db8::1]:5000", /^invalid reference format$/],
  ["[fe80::1%eth0]:5000/repo", /^invalid reference format$/],
  ["[fe80::1%@invalidzone]:5000/repo", /^invalid reference format$/],
  ["[2001:db8:3:4::192.0.2.33]:5000/debian", /^invalid reference format$/],
  ["fc00::1:5000/debian", /^invalid reference format$/],
  ["https://github.com/docker/docker", /^invalid reference format$/],
  ["-docker/docker", /^invalid reference format$/],
  ["docker-/docker", /^invalid reference format$/],
  ["docker///docker", /^invalid reference format$/],
  ["____/____", /^invalid reference format$/],
  ["dock..er/docker", /^invalid reference format$/],
  ["dock_.er/docker", /^invalid reference format$/],
  ["docker/", /^invalid reference format$/],
  [hex, /cannot specify 64-byte hexadecimal strings$/],
];

for (const [text, why] of refused)
  test(`${JSON.stringify(text.slice(0, 60))} is refused`, () => {
    assert.equal(tryParseReference(text), null);
    assert.throws(
      () => parseReference(text),
      (thrown) => why.test(messageOf(thrown)),
    );
  });

const familiar: readonly (readonly [typed: string, familiar: string, full: string])[] = [
  ["index.docker.io/fooo/bar", "fooo/bar", "docker.io/fooo/bar"],
  ["library/ubuntu", "ubuntu", "docker.io/library/ubuntu"],
  ["nonlibrary/ubuntu", "nonlibrary/ubuntu", "docker.io/nonlibrary/ubuntu"],
  ["other/library", "other/library", "docker.io/other/library"],
  ["127.0.0.1:8000/private/moonbase", "127.0.0.1:8000/private/moonbase", "127.0.0.1:8000/private/moonbase"],
  ["example.com/privatebase", "example.com/privatebase", "example.com/privatebase"],
  ["index.docker.io/library/ubuntu-12.04-base", "ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base"],
  ["docker.io/foo", "foo", "docker.io/library/foo"],
  ["library/foo/bar", "library/foo/bar", "docker.io/library/foo/bar"],
  ["Foo/bar", "Foo/bar", "Foo/bar"],
  ["FOO/bar", "FOO/bar", "FOO/bar"],
];

for (const [typed, short, full] of familiar)
  test(`${typed} is ${short} to users and ${full} to the store`, () => {
    const reference = parseReference(typed);
    assert.deepEqual([familiarName(reference), formatReference(reference)], [short, full]);
    assert.equal(formatFamiliar(parseReference(short)), short);
  });

const globs: readonly (readonly [name: string, glob: string, fits: boolean])[] = [
  ["foo", "foo/**/ba[rz]", false],
  ["foo/any/bat", "foo/**/ba[rz]", false],
  ["foo/a/bar", "foo/**/ba[rz]", true],
  ["foo/b/baz", "foo/**/ba[rz]", true],
  ["foo/c/baz:tag", "foo/**/ba[rz]", true],
  ["foo/c/baz:tag", "foo/*/baz:tag", true],
  ["foo/c/baz:tag", "foo/c/baz:tag", true],
  ["example.com/foo/c/baz:tag", "*/foo/c/baz", true],
  ["example.com/foo/c/baz:tag", "example.com/foo/c/baz", true],
  ["a.b:tag", "a?b", true],
  ["axb:tag", "a.b", false],
  ["localhost:5000/x:tag", "localhost:5000/*", true],
  ["bat", "ba[^rz]", true],
  ["a*:tag", "a\\*:tag", true],
];

for (const [name, glob, fits] of globs)
  test(`${name} ${fits ? "fits" : "does not fit"} the filter ${glob}`, () => {
    assert.equal(matchesFamiliar(glob, name), fits);
  });

test("a filter that is no glob is refused", () => {
  for (const glob of ["[-x]", "[", "a[", "[]"])
    assert.throws(() => matchesFamiliar(glob, "x"), { code: "invalid", message: /^invalid reference filter/ });
});
