# The text of a unit, as NixOS writes it from the same attributes, without what NixOS adds of its own (paths of tools, the
# marks by which it knows what to restart) and with the [Install] section that other systems need.
let
  value =
    v:
    if builtins.isBool v then
      (if v then "true" else "false")
    else
      toString v;
  line = key: v: "${key}=${value v}\n";
  lines = key: v: if builtins.isList v then builtins.concatStringsSep "" (map (line key) v) else line key v;
  section =
    name: attributes:
    "[${name}]\n"
    + builtins.concatStringsSep "" (
      map (key: lines key attributes.${key}) (builtins.attrNames attributes)
    );
  unless = isEmpty: attributes: if isEmpty then { } else attributes;
  joined =
    key: list: unless (list == [ ]) { ${key} = builtins.concatStringsSep " " list; };
  environment =
    unit:
    builtins.concatStringsSep "" (
      map (name: "Environment=\"${name}=${unit.environment.${name}}\"\n") (
        builtins.attrNames (unit.environment or { })
      )
    );
  # Names of options in NixOS → keys of systemd.
  relations = {
    documentation = "Documentation";
    requires = "Requires";
    wants = "Wants";
    after = "After";
    before = "Before";
    bindsTo = "BindsTo";
    partOf = "PartOf";
    conflicts = "Conflicts";
    onFailure = "OnFailure";
    onSuccess = "OnSuccess";
  };
  unitSection =
    unit:
    section "Unit" (
      builtins.foldl' (all: name: all // joined relations.${name} (unit.${name} or [ ])) (unless
        ((unit.description or "") == "")
        { Description = unit.description; }
      ) (builtins.attrNames relations)
      // (unit.unitConfig or { })
    );
  installSection =
    unit:
    let
      found = joined "WantedBy" (unit.wantedBy or [ ]) // joined "RequiredBy" (unit.requiredBy or [ ]);
    in
    if found == { } then "" else "\n" + section "Install" found;
in
{
  service =
    unit:
    unitSection unit
    + "\n"
    + builtins.replaceStrings [ "[Service]\n" ] [ ("[Service]\n" + environment unit) ] (
      section "Service" unit.serviceConfig
    )
    + installSection unit;
  timer = unit: unitSection unit + "\n" + section "Timer" unit.timerConfig + installSection unit;
  path = unit: unitSection unit + "\n" + section "Path" unit.pathConfig + installSection unit;
  socket = unit: unitSection unit + "\n" + section "Socket" unit.socketConfig + installSection unit;
  mount =
    unit:
    unitSection unit
    + "\n"
    + section "Mount" (
      {
        What = unit.what;
        Where = unit.where;
      }
      // (if (unit.type or "") == "" then { } else { Type = unit.type; })
      // (if (unit.options or "") == "" then { } else { Options = unit.options; })
      // (unit.mountConfig or { })
    )
    + installSection unit;
  # The name that systemd wants for a mount (systemd-escape --path), for plain paths.
  mountName =
    where:
    builtins.replaceStrings [ "-" "/" ] [ "\\x2d" "-" ] (builtins.substring 1 (-1) where);

  # A table of nftables as NixOS loads it: in one transaction, in place of the one before.
  table = name: made: ''
    table ${made.family} ${name}
    delete table ${made.family} ${name}
    table ${made.family} ${name} {
    ${made.content}}
  '';
}
