# Evaluates the module without NixOS and without building anything: the units as text, the configuration file, what is
# refused, and the table of options.
#   nix-instantiate --eval --strict --json nix/eval --arg settings '{ resellerId = "northwind-msp"; }'
{
  # Settings of `services.compliance-agent`.
  settings ? { },
  # Path of nixpkgs' `lib`; without it a small one of our own.
  libPath ? null,
  # With the module for the whole machine beside it.
  appliance ? false,
  # The release of NixOS whose names of options count.
  release ? "26.05",
  # Where the package counts as installed.
  prefix ? "/opt/compliance-agent",
}:
let
  render = import ./render-unit.nix;
  tiny = import ./tiny-lib.nix;
  derivation = name: outPath: {
    type = "derivation";
    inherit name outPath;
  };
  # Programs of packages count as Debian's: `${pkgs.systemd}/bin/systemctl` is /usr/bin/systemctl.
  packages =
    builtins.listToAttrs (
      map
        (name: {
          inherit name;
          value = derivation name "/usr";
        })
        [
          "coreutils"
          "cryptsetup"
          "iproute2"
          "nftables"
          "nix"
          "restic"
          "systemd"
          "util-linux"
          "terminus_font"
        ]
    );
  pkgs = packages // {
    runCommandLocal =
      name: attributes: script:
      derivation name "/nix/store/${name}" // { inherit (attributes) text; inherit script; };
  };
  others = if appliance then [ ../appliance.nix ] else [ ];
  # Options that this release has and another has not.
  isNew = builtins.compareVersions release "26.11" >= 0;
  moved = {
    services.resolved.settings = true;
  }
  // (
    if !isNew then
      { }
    else
      {
        services.resolved.settings = true;
        services.journald.settings = true;
        boot.loader.systemd-boot.bootCounting = true;
      }
  );
  given = {
    enable = true;
    package = derivation "compliance-agent" prefix;
  }
  // settings;

  withTiny = tiny.evaluate {
    module = import ../module.nix;
    others = map import others;
    options = moved;
    service = "compliance-agent";
    lib = tiny;
    inherit given pkgs;
  };
  lib = import libPath;
  withNixpkgs =
    let
      evaluated = lib.evalModules {
        specialArgs = { inherit pkgs isNew; };
        modules = others ++ [
          ../module.nix
          ./nixos-stub.nix
          ./nixos-stub-machine.nix
          { services.compliance-agent = given; }
        ];
      };
    in
    {
      inherit (evaluated) config;
      system = withTiny.system;
      declared = evaluated.options.services.compliance-agent;
    };

  inherit (if libPath == null then withTiny else withNixpkgs) config declared;
  # Of the evaluated configuration, what the modules for the whole machine set.
  chosen =
    wanted: found:
    builtins.mapAttrs (
      name: v:
      if builtins.isAttrs v && v != { } then chosen v found.${name} else found.${name}
    ) wanted;
  failed = builtins.filter (one: !one.assertion) config.assertions;
  renamed =
    prefix: suffix: make: set:
    builtins.listToAttrs (
      map (name: {
        name = "${prefix}${name}${suffix}";
        value = make name set.${name};
      }) (builtins.attrNames set)
    );
  # Without those that are only switched off.
  on =
    set:
    builtins.removeAttrs set (
      builtins.filter (name: !(set.${name}.enable or true)) (builtins.attrNames set)
    );
  units = kind: renamed "" ".${kind}" (_: render.${kind}) (on config.systemd."${kind}s");
  # What has no description adds to a unit of NixOS's own.
  addsTo = name: (config.systemd.services.${name}.description or "") == "";
  without = test: set: builtins.removeAttrs set (builtins.filter test (builtins.attrNames set));
  ours = builtins.removeAttrs config.environment.etc [ "compliance-agent/config.yaml" ];
  # Keys of the configuration file that options lead to.
  keysIn =
    tree:
    builtins.concatLists (
      map (
        name:
        let
          one = tree.${name};
        in
        if !(one ? type) then
          keysIn one
        else if one ? key then
          [ one.key ]
        else
          [ ]
      ) (builtins.attrNames tree)
    );
  isOption = one: (one._type or null) == "option";
  # Dotted names of all options in a tree, those that are not shown left out.
  listed =
    prefix: tree:
    builtins.concatLists (
      map (
        name:
        let
          one = tree.${name};
        in
        if !isOption one then
          listed "${prefix}${name}." one
        else if one.visible or true then
          [
            {
              name = prefix + name;
              type = one.type.description;
              default = one.default or null;
              required = !(one ? default);
              inherit (one) description;
            }
          ]
        else
          [ ]
      ) (builtins.attrNames tree)
    );
in
{
  refused = map (one: one.message) failed;
  user = config.users.users.compliance-agent;
  configText = config.environment.etc."compliance-agent/config.yaml".source.text;
  # What is run when the file is built.
  configCheck = config.environment.etc."compliance-agent/config.yaml".source.script;
  polkitRule = config.security.polkit.extraConfig;
  units =
    if failed != [ ] then
      { }
    else
      renamed "" ".service" (_: render.service) (on (without addsTo config.systemd.services))
      // units "timer"
      // units "path"
      // units "socket"
      // builtins.listToAttrs (
        map (unit: {
          name = "${render.mountName unit.where}.mount";
          value = render.mount unit;
        }) config.systemd.mounts
      );
  # Other files of the machine, by where they lie; tables of nftables where a test can load them from.
  files =
    if failed != [ ] then
      { }
    else
      renamed "etc/" "" (_: file: file.text or file.source.text) ours
      // renamed "etc/systemd/system/" ".service.d/compliance-agent.conf" (_: render.service) (
        on (without (name: !addsTo name) config.systemd.services)
      )
      // renamed "initrd/" ".service" (_: render.service) config.boot.initrd.systemd.services or { }
      // builtins.listToAttrs (
        map (unit: {
          name = "initrd/${render.mountName unit.where}.mount";
          value = render.mount unit;
        }) (config.boot.initrd.systemd.mounts or [ ])
      )
      // renamed "etc/nftables/" ".nft" render.table config.networking.nftables.tables
      // {
        "etc/polkit-1/rules.d/10-compliance-agent.rules" = config.security.polkit.extraConfig;
      }
      // (
        if config.services.udev.extraRules == "" then
          { }
        else
          { "etc/udev/rules.d/99-compliance-agent.rules" = config.services.udev.extraRules; }
      )
      // (
        if config.systemd.tmpfiles.rules == [ ] then
          { }
        else
          {
            "etc/tmpfiles.d/compliance-agent.conf" = builtins.concatStringsSep "" (
              map (rule: "${rule}\n") config.systemd.tmpfiles.rules
            );
          }
      );
  users = config.users.users;
  machine = if appliance then chosen withTiny.system config else { };
  # Of Nix itself, whichever module sets it.
  nixSettings = config.nix.settings or { };
  options = listed "" declared;
  keys = keysIn (import ../options.nix { lib = if libPath == null then tiny else lib; });
}
