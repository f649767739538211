# Central Command, in two derivations as the agent is (package.nix).
{
  lib,
  stdenv,
  callPackage,
  nodejs-slim_24,
  autoPatchelfHook,
}:
let
  root = ../.;
  centralDeps = callPackage ./npm-deps.nix { } {
    program = "central-command";
    arguments = "ci --omit=dev --workspace=central --include-workspace-root --ignore-scripts --no-audit --no-fund";
    workspaces = [
      ../central/package.json
      ../tools/node24/package.json
    ];
  };
in
stdenv.mkDerivation {
  pname = "central-command";
  version = (builtins.fromJSON (builtins.readFile ../central/package.json)).version;
  src = lib.fileset.toSource {
    inherit root;
    fileset = lib.fileset.unions [
      ../agent
      ../central
      ../docs/verify
      ../runbooks
      ../tools/install-tree.ts
      ../tools/rooms.ts
      ../tools/strip-types.ts
      ../package.json
      ../package-lock.json
    ];
  };
  nativeBuildInputs = [
    nodejs-slim_24
    autoPatchelfHook
  ];
  buildInputs = [ stdenv.cc.cc.lib ];
  dontBuild = true;
  installPhase = ''
    runHook preInstall
    node tools/install-tree.ts ${nodejs-slim_24}/bin/node ${centralDeps} $out central-command
    runHook postInstall
  '';
  doInstallCheck = true;
  installCheckPhase = "$out/bin/central-command --help";
  passthru = { inherit centralDeps; };
  meta = {
    description = "Central Command: enrols appliances, answers check-ins, signs orders, keeps evidence";
    license = lib.licenses.asl20;
    mainProgram = "central-command";
    platforms = [ "x86_64-linux" ];
  };
}
