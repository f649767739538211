$SnapshotFolder = Join-Path $env:ProgramFiles 'ComplianceAgent'
$SnapshotFile = Join-Path $SnapshotFolder 'audit-before.csv'
$LsaKey = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa'
# Logs and the param that says how large each has to be allowed to grow.
$Logs = [ordered]@{ Security = 'security_min_mib'; System = 'system_min_mib'; Application = 'application_min_mib' }
# One subcategory in `auditpol /backup`: the GUID in braces and, last, 0 none, 1 success, 2 failure, 3 both. The names between
# are in the machine's language, and so are the headings.
$AuditLine = '^[^,]*,([^,]*),.*\{([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})\},.*?,(\d+)\s*$'

# What is audited for everybody, by subcategory. Rows of one user begin with a SID and are passed over.
function Get-AuditPolicy {
  $file = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid().ToString() + '.csv')
  try {
    [void](& auditpol.exe /backup "/file:$file")
    if ($LASTEXITCODE -ne 0) { throw "auditpol_$LASTEXITCODE" }
    # GUIDs and digits are the same in every encoding, once the zero bytes of UTF-16 are gone.
    $text = [Text.Encoding]::ASCII.GetString([byte[]]@([IO.File]::ReadAllBytes($file) | Where-Object { $_ -ne 0 }))
  } finally { if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file } }
  foreach ($line in ($text -split "`r?`n")) {
    if ($line -notmatch $AuditLine -or $Matches[1] -like 'S-1-*') { continue }
    [ordered]@{ id = $Matches[2].ToUpperInvariant(); value = [int]$Matches[3] -band 3 }
  }
}

# Subcategories that have to be audited: GUID.VALUE of the params, those of domain controllers added on one.
function Get-WantedAudit([string]$Role) {
  $given = @($In.params.audit)
  if ($Role -eq 'domain_controller') { $given += @($In.params.audit_domain_controller) }
  foreach ($item in $given) {
    if ([string]$item -notmatch '^([0-9A-Fa-f-]{36})\.([123])$') { throw 'param_audit' }
    [ordered]@{ id = $Matches[1].ToUpperInvariant(); value = [int]$Matches[2] }
  }
}

# Mode: Circular overwrites the oldest, AutoBackup keeps a file, Retain stops when full.
function Get-Logs {
  foreach ($name in $Logs.Keys) {
    $log = Get-WinEvent -ListLog $name
    $policy = Get-RegistryValue "HKLM:\SOFTWARE\Policies\Microsoft\Windows\EventLog\$name" 'MaxSize' $null
    $managed = $null
    # The policy counts in KiB.
    if ($null -ne $policy) { $managed = [int][Math]::Floor([long]$policy / 1024) }
    [ordered]@{
      name = $name.ToLowerInvariant()
      enabled = [bool]$log.IsEnabled
      mode = [string]$log.LogMode
      max_mib = [int][Math]::Floor([long]$log.MaximumSizeInBytes / 1048576)
      policy_mib = $managed
    }
  }
}

# Times at which a log was emptied: 1102 in Security, 104 in System (there for any other log). Bounded by time and number.
function Get-Cleared([string]$Log, [int]$Id) {
  $since = (Get-Date).AddDays(-[int]$In.params.cleared_days)
  try { @(Get-WinEvent -FilterHashtable @{ LogName = $Log; Id = $Id; StartTime = $since } -MaxEvents 50 | ForEach-Object { Get-IsoTime $_.TimeCreated }) }
  catch { if ([string]$_.FullyQualifiedErrorId -like 'NoMatchingEventsFound*') { @() } else { throw } }
}

function Get-AuditDrift($Policy, $Wanted) {
  $is = @{ }
  foreach ($item in @($Policy)) { $is[$item.id] = $item.value }
  foreach ($item in @($Wanted)) {
    # Every supported Windows has every subcategory: one that is not told was not read.
    if (-not $is.ContainsKey($item.id)) { throw 'subcategory_missing' }
    $to = $is[$item.id] -bor $item.value
    if ($to -ne $is[$item.id]) { [ordered]@{ id = $item.id; from = $is[$item.id]; to = $to } }
  }
}
