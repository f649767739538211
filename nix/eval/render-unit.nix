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
  unitSection =
    unit:
    section "Unit" (
      { Description = unit.description; }
      // joined "Documentation" (unit.documentation or [ ])
      // joined "After" (unit.after or [ ])
      // (unit.unitConfig or { })
    );
  installSection =
    unit:
    if (unit.wantedBy or [ ]) == [ ] then
      ""
    else
      "\n" + section "Install" { WantedBy = builtins.concatStringsSep " " unit.wantedBy; };
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
}
