# The outputs of flake.nix with a stand-in for nixpkgs: which there are, by name, and what they are made of. Nothing is built.
let
  # What the packages use of nixpkgs' `lib`.
  lib = {
    assertMsg = condition: message: condition || throw message;
    concatMapStrings = make: list: builtins.concatStringsSep "" (map make list);
    mkDefault = v: v;
    getBin = package: package;
    trim = text: builtins.replaceStrings [ "\n" ] [ "" ] text;
    licenses.asl20 = "Apache-2.0";
    fileset.unions = parts: parts;
    # Every file that is named has to be there.
    fileset.toSource =
      { root, fileset }:
      assert builtins.isPath root;
      {
        files = map (path: if builtins.pathExists path then toString path else throw "${toString path} is missing") (
          flatten fileset
        );
      };
    nixosSystem =
      { system, modules }:
      {
        inherit modules;
        config.system.build = {
          toplevel = made "nixos-system";
          isoImage = made "iso";
        };
      };
  };
  flatten =
    list: builtins.concatLists (map (one: if builtins.isList one then flatten one else [ one ]) list);
  made = name: {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/${name}";
  };
  # A derivation keeps what it was made from.
  mkDerivation =
    arguments: made (arguments.pname or arguments.name) // { inherit arguments; } // (arguments.passthru or { });
  stdenv = {
    inherit mkDerivation;
    cc.cc.lib = made "gcc-lib";
  };
  pkgs = {
    inherit lib stdenv callPackage;
    stdenvNoCC = stdenv;
    mkShell = arguments: made "shell" // { inherit arguments; };
    runCommand =
      name: _: script:
      made name // { commands = script; };
    runCommandLocal = pkgs.runCommand;
    writeText = name: _: made name;
    testers.runNixOSTest =
      test:
      made test.name
      // {
        nodes = builtins.attrNames test.nodes;
        script =
          if builtins.isFunction test.testScript then
            test.testScript {
              nodes = builtins.mapAttrs (name: _: {
                system.build.toplevel = made "nixos-system-${name}";
              }) test.nodes;
            }
          else
            test.testScript;
      };
  }
  // builtins.listToAttrs (
    map
      (name: {
        inherit name;
        value = made name;
      })
      [
        "autoPatchelfHook"
        "cacert"
        "cryptsetup"
        "libkrb5"
        "nftables"
        "nixfmt"
        "nodejs-slim_24"
        "nodejs_24"
        "systemd"
      ]
  );
  # As nixpkgs does it: arguments by their names, and an error for one that is not there.
  callPackage =
    file: more:
    let
      function = import file;
      wanted = builtins.functionArgs function;
    in
    function (builtins.mapAttrs (name: _: more.${name} or pkgs.${name}) wanted);

  nixpkgs = {
    inherit lib;
    legacyPackages.x86_64-linux = pkgs;
    outPath = "/nix/store/nixpkgs";
  };
  flake = import ../../flake.nix;
  outputs = flake.outputs {
    self = outputs;
    inherit nixpkgs;
  };
  names = builtins.attrNames;
  ofSystem = set: set.x86_64-linux;
in
{
  inputs = builtins.mapAttrs (_: input: input.url) flake.inputs;
  outputs = names outputs;
  packages = builtins.mapAttrs (_: package: package.name) (ofSystem outputs.packages);
  modules = names outputs.nixosModules;
  configurations = builtins.mapAttrs (_: one: builtins.length one.modules) outputs.nixosConfigurations;
  checks = builtins.mapAttrs (_: check: check.nodes or check.name) (ofSystem outputs.checks);
  scripts = builtins.mapAttrs (_: check: check.script or "") (ofSystem outputs.checks);
  # Commands of the phase in which the agent is laid out, and of its folder of programs.
  install = outputs.packages.x86_64-linux.agent.arguments.installPhase;
  tools = outputs.packages.x86_64-linux.agent.agentTools.commands;
  shells = names (ofSystem outputs.devShells);
  sources = builtins.mapAttrs (_: package: package.arguments.src.files) {
    inherit (ofSystem outputs.packages) agent central installer;
    inherit (outputs.packages.x86_64-linux.agent) agentDeps;
    inherit (outputs.packages.x86_64-linux.central) centralDeps;
  };
  dependencies = builtins.mapAttrs (_: one: {
    inherit (one) name;
    hash = one.arguments.outputHash;
  }) {
    inherit (outputs.packages.x86_64-linux.agent) agentDeps;
    inherit (outputs.packages.x86_64-linux.central) centralDeps;
  };
}
