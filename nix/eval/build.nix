# The packages, built by Nix with a stand-in for nixpkgs: this machine's tools outside of a sandbox. Only what package.nix and
# central-package.nix do themselves is tried; not nixpkgs' own hooks (autoPatchelfHook).
{
  # Folder with `bin/node`, of version 24.
  node,
  # Folder with `bin` for the programs of tools.nix.
  tools,
}:
let
  flatten =
    list: builtins.concatLists (map (one: if builtins.isList one then flatten one else [ one ]) list);
  startsWith = start: text: builtins.substring 0 (builtins.stringLength start) text == start;
  lib = {
    assertMsg = condition: message: condition || throw message;
    getBin = package: package;
    licenses.asl20 = "Apache-2.0";
    fileset.unions = parts: parts;
    fileset.toSource =
      { root, fileset }:
      let
        wanted = map toString (flatten fileset);
        isWanted =
          path: one: path == one || startsWith "${one}/" path || startsWith "${path}/" one;
      in
      builtins.path {
        name = "source";
        path = root;
        filter = path: _: builtins.any (isWanted path) wanted;
      };
  };
  mkDerivation =
    given:
    derivation (
      {
        name = given.name or "${given.pname}-${given.version}";
        system = builtins.currentSystem;
        builder = "/bin/bash";
        args = [
          "-eu"
          ./builder.sh
        ];
        nodeDir = node;
        buildPhase = given.buildPhase or "";
        installCheckPhase = given.installCheckPhase or "";
        inherit (given) src installPhase;
      }
      // (
        if given ? outputHash then
          {
            inherit (given) outputHash outputHashMode;
            # The hash is an SRI one.
            outputHashAlgo = null;
          }
        else
          { }
      )
    )
    // (given.passthru or { });
  stdenv = {
    inherit mkDerivation;
    cc.cc.lib = "/usr";
  };
  pkgs = {
    inherit lib stdenv callPackage;
    stdenvNoCC = stdenv;
    runCommandLocal =
      name: _: script:
      mkDerivation {
        inherit name;
        src = builtins.path {
          name = "empty";
          path = ./.;
          filter = _: _: false;
        };
        installPhase = script;
      };
    nodejs_24 = node;
    nodejs-slim_24 = node;
    cryptsetup = tools;
    nftables = tools;
    systemd = tools;
    libkrb5 = "/usr";
    cacert = "/usr";
    autoPatchelfHook = "/usr";
  };
  callPackage =
    file: more:
    let
      function = import file;
    in
    function (builtins.mapAttrs (name: _: more.${name} or pkgs.${name}) (builtins.functionArgs function));
  agent = callPackage ../package.nix { };
in
{
  inherit agent;
  central = callPackage ../central-package.nix { };
  installer = callPackage ../../iso/package.nix { agent = agent // { version = "0"; }; };
}
