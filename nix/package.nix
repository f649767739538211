# The agent, in two derivations: its libraries as npm fetches them, and the tree that an appliance runs.
{
  lib,
  stdenvNoCC,
  stdenv,
  cacert,
  nodejs_24,
  nodejs-slim_24,
  autoPatchelfHook,
  libkrb5,
}:
let
  root = ../.;
  version = (builtins.fromJSON (builtins.readFile ../package.json)).version;
  pin = builtins.fromJSON (builtins.readFile ./npm-deps.json);
  lockSha256 = builtins.hashFile "sha256" ../package-lock.json;

  # Only what is shipped or builds it: an edit of a document builds nothing anew.
  sources = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      ../agent
      ../docs/verify
      ../runbooks
      ../tools/install-tree.ts
      ../tools/strip-types.ts
      ../package.json
      ../package-lock.json
    ];
  };

  # Fetched with npm's own default registry: the lock names none. Its digest is a part of the name, since Nix takes a
  # folder that it has by its hash, and would go on using the old one under a changed lock.
  agentDeps =
    assert lib.assertMsg (
      pin.lock_sha256 == lockSha256
    ) "nix/npm-deps.json is for another package-lock.json: run `node tools/npm-deps.ts --write`";
    stdenvNoCC.mkDerivation {
      name = "compliance-agent-deps-${builtins.substring 0 16 lockSha256}";
      src = lib.fileset.toSource {
        inherit root;
        fileset = lib.fileset.unions [
          ../package.json
          ../package-lock.json
          ../.npmrc
        ];
      };
      nativeBuildInputs = [
        nodejs_24
        cacert
      ];
      # As in tools/npm-deps.ts, which makes the hash.
      buildPhase = ''
        export HOME=$TMPDIR
        npm ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund
        rm -rf node_modules/.package-lock.json node_modules/typescript node_modules/@typescript node_modules/.bin
      '';
      installPhase = "cp -r node_modules $out";
      dontFixup = true;
      outputHashMode = "recursive";
      outputHash = pin.hash;
    };
in
stdenv.mkDerivation {
  pname = "compliance-agent";
  inherit version;
  src = sources;
  nativeBuildInputs = [
    nodejs-slim_24
    autoPatchelfHook
  ];
  # What the libraries' binaries are linked to.
  buildInputs = [ stdenv.cc.cc.lib ];
  dontBuild = true;
  installPhase = ''
    runHook preInstall
    node tools/install-tree.ts ${nodejs-slim_24}/bin/node ${agentDeps} $out
    # Loaded by path: there is no folder of libraries here that a name is looked up in.
    substituteInPlace $out/lib/compliance-agent/agent/winrm/gssapi.js \
      --replace-fail "'libgssapi_krb5.so.2'" "'${libkrb5}/lib/libgssapi_krb5.so.2'"
    runHook postInstall
  '';
  doInstallCheck = true;
  installCheckPhase = "$out/bin/compliance-agent version";
  passthru = { inherit agentDeps; };
  meta = {
    description = "On-site compliance agent: pulls signed orders, checks for drift, writes signed evidence";
    license = lib.licenses.asl20;
    mainProgram = "compliance-agent";
    platforms = [ "x86_64-linux" ];
  };
}
