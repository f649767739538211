# The agent, in two derivations: its libraries as npm fetches them, and the tree that an appliance runs.
{
  lib,
  stdenv,
  callPackage,
  runCommandLocal,
  nodejs-slim_24,
  autoPatchelfHook,
  libkrb5,
  cryptsetup,
  nftables,
  systemd,
}:
let
  root = ../.;
  version = (builtins.fromJSON (builtins.readFile ../package.json)).version;
  # Only what is shipped or builds it: an edit of a document builds nothing anew.
  sources = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      ../agent
      ../docs/verify
      ../runbooks
      ../tools/install-tree.ts
      ../tools/rooms.ts
      ../tools/strip-types.ts
      ../package.json
      ../package-lock.json
    ];
  };

  agentDeps = callPackage ./npm-deps.nix { } {
    program = "compliance-agent";
    arguments = "ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund";
  };

  inherit (import ./tools.nix) shipped;
  packages = { inherit cryptsetup nftables systemd; };
  links = builtins.concatLists (
    map (
      package:
      map (
        name: "ln -s ${lib.getBin packages.${package}}/bin/${name} $out/bin/${name}\n"
      ) shipped.${package}
    ) (builtins.attrNames shipped)
  );
  # One folder with exactly these programs.
  agentTools = runCommandLocal "compliance-agent-tools" { } ''
    mkdir -p $out/bin
    ${builtins.concatStringsSep "" links}
    for tool in $out/bin/*; do test -x $tool; done
  '';
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
    substituteInPlace $out/lib/compliance-agent/agent/system/exec.js \
      --replace-fail "'/run/current-system/sw/bin'" "'${agentTools}/bin', '/run/current-system/sw/bin'"
    runHook postInstall
  '';
  doInstallCheck = true;
  installCheckPhase = "$out/bin/compliance-agent version";
  passthru = { inherit agentDeps agentTools; };
  meta = {
    description = "On-site compliance agent: pulls signed orders, checks for drift, writes signed evidence";
    license = lib.licenses.asl20;
    mainProgram = "compliance-agent";
    platforms = [ "x86_64-linux" ];
  };
}
