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
in
{
  inherit mkOption types;
  mkIf = condition: attributes: if condition then attributes else { };

  # `module` with `given` as the settings of `services.<service>`. What the module declares for others is returned as it is.
  evaluate =
    {
      module,
      service,
      given,
      pkgs,
      lib,
    }:
    let
      path = "services.${service}";
      made = module {
        inherit lib pkgs;
        config.services.${service} = values;
      };
      declared = made.options.services.${service};
      unknown = builtins.filter (name: !(declared ? ${name})) (attrNames given);
      values = builtins.mapAttrs (name: option: valueOf path option given name) declared;
    in
    if unknown == [ ] then
      {
        inherit (made) config;
        inherit declared;
      }
    else
      throw "The option `${path}.${builtins.head unknown}' does not exist.";
}
