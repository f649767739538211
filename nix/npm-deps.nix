# The libraries of a program as npm fetches them, with npm's own default registry: the lock names none.
{
  lib,
  stdenvNoCC,
  cacert,
  nodejs_24,
}:
# `program`: as in npm-deps.json; `arguments`: of npm, as in tools/npm-deps.ts, which makes the hash; `workspaces`: what npm is
# to see of them.
{
  program,
  arguments,
  workspaces ? [ ],
}:
let
  root = ../.;
  pin = builtins.fromJSON (builtins.readFile ./npm-deps.json);
  lockSha256 = builtins.hashFile "sha256" ../package-lock.json;
in
# The digest of the lock is a part of the name, since Nix takes a folder that it has by its hash, and would go on using the
# old one under a changed lock.
assert lib.assertMsg (
  pin.lock_sha256 == lockSha256
) "nix/npm-deps.json is for another package-lock.json: run `node tools/npm-deps.ts --write`";
stdenvNoCC.mkDerivation {
  name = "${program}-deps-${builtins.substring 0 16 lockSha256}";
  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions (
      [
        ../package.json
        ../package-lock.json
        ../.npmrc
      ]
      ++ workspaces
    );
  };
  nativeBuildInputs = [
    nodejs_24
    cacert
  ];
  buildPhase = ''
    export HOME=$TMPDIR
    npm ${arguments}
    cd node_modules
    rm -rf .package-lock.json typescript @typescript @compliance-agent .bin
    cd ..
  '';
  installPhase = "cp -r node_modules $out";
  dontFixup = true;
  outputHashMode = "recursive";
  outputHash = pin.hashes.${program};
}
