/** Where the simulated userland is known to differ from the real one, with the reason. A line listed here has to differ. */
const built = "Debian's busybox is built without it, others are with it";
const newline = "busybox leaves out the last newline when the second file ends first";
const mathematics = "Debian's busybox is built without mathematics in awk, others are with it";

export const differences: Readonly<Record<string, string>> = {
  "awk 'BEGIN{print 1+2, 7/2, 7%3, 2^10}'": mathematics,
  'awk \'BEGIN{print index("abc","z"), int(3.9), int(-3.9), sqrt(16)}\'': mathematics,
  "awk 'BEGIN{a=1; a+=2; a*=3; a-=1; a/=2; a%=3; a^=2; print a}'": mathematics,
  "awk 'BEGIN{print 2 \" \" 3*4, -2^2, 2**3}'": mathematics,
  'awk \'BEGIN{print 1 > 2 ? "a" : "b"}\'; cat 2 2>/dev/null':
    "what stands after print's > is read as one operand; busybox takes a whole conditional and prints nothing that shows",
  "awk 'BEGIN{print 010 + 0, \"0x1f\" + 0}'":
    'busybox reads 010 and "0x1f" as C does; POSIX\'s awk and the other ones read decimal numbers',
  "awk 'BEGIN {print length(\"grüße\")}'": "texts are Unicode's characters here, whatever the locale says",
  "paste a.txt b.txt": newline,
  "paste -d, a.txt b.txt": newline,
  "paste -d'\\n' a.txt b.txt": newline,
  "printf '1K\\n2M\\n3\\n' | sort -h": built,
  "sed '2q5' a.txt; echo $?": "an exit status of q is GNU's, and newer busybox's",
  "sed '0~2d' n.txt | head -3": built,
  "sed '2~3p' -n n.txt": built,
  "sed -n l tabs": "busybox's l prints nothing; POSIX says what it prints",
  "sed 's/./\\U&/' a.txt": "case changes in a replacement are GNU's",
  "sed '1~2s/^/odd /' a.txt": built,
  "sed -s -n '$p' a.txt b.txt": built,
  "find d -type f -name two -delete; ls d": built,
  "printf '1\\n2\\n3\\n' | xargs -L1 echo l": built,
  "busybox sh -c '[[ abc == a* ]] && echo glob; [[ abc == \"a*\" ]] || echo literal; [[ a < b ]] && echo lt'":
    "ash reads [[ ]] as test's plain words; here it is bash's",
  'busybox sh -c \'x="a b"; [[ $x == "a b" ]] && echo unsplit; [[ -z $nope ]] && echo empty\'':
    "ash reads [[ ]] as test's plain words; here it is bash's",
  "a() b": "the grammar is unbash's: a function's body has to be a compound command, as POSIX says",
  "ip link set lo up; httpd -p 8080 -h /tmp; sleep 0.2; netstat -tln; kill $(pidof httpd)":
    "IPv6 is not simulated: a server listens on 0.0.0.0 where busybox listens on ::",
};

/** Text of the oracle's that is not ours to repeat: busybox's own description of how a program is used. */
export function withoutUsage(text: string): string {
  return text.replace(/BusyBox v[^]*$/, "BusyBox v\n");
}
