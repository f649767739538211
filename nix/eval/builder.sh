# What nixpkgs' stdenv does of a build, as far as build.nix needs it.
export PATH="$nodeDir/bin:/usr/bin:/bin"
runHook() { :; }
# substituteInPlace FILE --replace-fail FROM TO
substituteInPlace() {
  node -e '
    const { readFileSync, writeFileSync } = require("node:fs");
    const [file, , from, to] = process.argv.slice(1);
    const text = readFileSync(file, "utf8");
    if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
    writeFileSync(file, text.replaceAll(from, () => to));
  ' "$@"
}
cp -r "$src" work
chmod -R u+w work
cd work
eval "$buildPhase"
eval "$installPhase"
eval "$installCheckPhase"
