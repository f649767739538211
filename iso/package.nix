# The installer program: for sticks alone. Nothing that is installed refers to it.
{
  lib,
  stdenvNoCC,
  nodejs-slim_24,
  agent,
}:
stdenvNoCC.mkDerivation {
  pname = "compliance-installer";
  inherit (agent) version;
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ./installer
      ../tools/installer-tree.ts
      ../tools/strip-types.ts
      ../package.json
    ];
  };
  nativeBuildInputs = [ nodejs-slim_24 ];
  dontBuild = true;
  installPhase = ''
    runHook preInstall
    node tools/installer-tree.ts ${nodejs-slim_24}/bin/node ${agent} $out
    runHook postInstall
  '';
  meta = {
    description = "Installs the appliance from a stick, without a network";
    license = lib.licenses.asl20;
    mainProgram = "compliance-installer";
    platforms = [ "x86_64-linux" ];
  };
}
