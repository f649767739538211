# The daemon's user may start exactly these units, and do nothing else to them (polkit(8)).
{ user, units }:
''
  polkit.addRule(function (action, subject) {
    if (action.id !== "org.freedesktop.systemd1.manage-units" || subject.user !== "${user}") return;
    var units = ${builtins.toJSON units};
    if (action.lookup("verb") === "start" && units.indexOf(action.lookup("unit")) >= 0) return polkit.Result.YES;
  });
''
