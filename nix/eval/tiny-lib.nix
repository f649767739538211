# The few words of nixpkgs' `lib` that the module uses, so that it can be evaluated where nixpkgs is not at hand. Tests
# compare what comes out with what nixpkgs' own `lib` gives, where that is available.
let
  inherit (builtins)
    all
    attrNames
    concatStringsSep
    elem
    isAttrs
    isBool
    isInt
    isList
    isString
    match
    ;
  mkOption = option: option // { _type = "option"; };

  types = {
    bool = {
      description = "boolean";
      check = isBool;
    };
    package = {
      description = "package";
      check = v: isAttrs v && (v.type or null) == "derivation";
    };
    unspecified = {
      description = "unspecified value";
      check = _: true;
    };
    enum = values: {
      description = "one of ${concatStringsSep ", " (map builtins.toJSON values)}";
      check = v: elem v values;
    };
    strMatching = pattern: {
      description = "string matching the pattern ${pattern}";
      check = v: isString v && match pattern v != null;
    };
    ints.between = low: high: {
      description = "integer between ${toString low} and ${toString high} (both inclusive)";
      check = v: isInt v && v >= low && v <= high;
    };
    nullOr = type: {
      description = "null or ${type.description}";
      check = v: v == null || type.check v;
    };
    listOf = type: {
      description = "list of ${type.description}";
      check = v: isList v && all type.check v;
    };
    str = {
      description = "string";
      check = isString;
    };
    port = types.ints.between 1 65535 // {
      description = "port number";
    };
    lines = types.str;
    attrsOf = type: {
      description = "attribute set of ${type.description}";
      check = v: isAttrs v && all (name: type.check v.${name}) (attrNames v);
    };
    submodule =
      { options }:
      {
        description = "submodule";
        check =
          v:
          isAttrs v
          && all (name: options ? ${name} && options.${name}.type.check v.${name}) (attrNames v)
          && all (name: v ? ${name}) (attrNames options);
      };
  };

  # One option's value: what was set, judged by its type, or its default.
  valueOf =
    path: option: given: name:
    if !(given ? ${name}) then
      option.default or (throw "The option `${path}.${name}' was accessed but has no value defined.")
    else if option.type.check given.${name} then
      given.${name}
    else
      throw "A definition for option `${path}.${name}' is not of type `${option.type.description}'.";

  # The values of a tree of options.
  valuesOf =
    path: declared: given:
    let
      unknown = builtins.filter (name: !(declared ? ${name})) (attrNames given);
    in
    if unknown != [ ] then
      throw "The option `${path}.${builtins.head unknown}' does not exist."
    else
      builtins.mapAttrs (
        name: option:
        if (option._type or null) == "option" then
          valueOf path option given name
        else
          valuesOf "${path}.${name}" option (given.${name} or { })
      ) declared;

  # Two configurations as one: sets by name, lists one after the other.
  merge =
    a: b:
    a
    // builtins.mapAttrs (
      name: v:
      if !(a ? ${name}) then
        v
      else if isAttrs v && isAttrs a.${name} && (v.type or null) != "derivation" then
        merge a.${name} v
      else if isList v && isList a.${name} then
        a.${name} ++ v
      else if v == a.${name} then
        v
      else
        throw "The option `${name}' has conflicting definition values."
    ) b;
in
{
  inherit mkOption types;
  mkIf = condition: attributes: if condition then attributes else { };
  mkMerge = builtins.foldl' merge { };
  # Nothing else is merged here that could win.
  mkDefault = v: v;
  mkForce = v: v;
  optionals = condition: list: if condition then list else [ ];
  optionalAttrs = condition: attributes: if condition then attributes else { };
  optionalString = condition: text: if condition then text else "";

  # `module` with `given` as the settings of `services.<service>`, and with those of `others`, modules that only set. What
  # they set for NixOS is returned as it is.
  evaluate =
    {
      module,
      others,
      service,
      given,
      options,
      pkgs,
      lib,
    }:
    let
      arguments = {
        inherit lib pkgs options;
        config.services.${service} = values;
      };
      made = module arguments;
      set = builtins.foldl' merge { } (map (other: (other arguments).config) others);
      own = set.services.${service} or { };
      system = set // {
        services = builtins.removeAttrs (set.services or { }) [ service ];
      };
      declared = made.options.services.${service};
      values = valuesOf "services.${service}" declared (merge own given);
    in
    builtins.seq (attrNames values) {
      config = merge made.config system;
      inherit declared system;
    };
}
