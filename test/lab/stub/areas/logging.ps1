# Audit policy and event logs. `audit` of the state: { encoding: 'ascii' | 'utf16', headings, system, subcategories: [{ id, name,
# value }], users: [{ sid, id, value }] }; `logs`: name → { enabled, mode, maxBytes, events: [{ id, at }] }. `reverts` of audit: a
# list of subcategories that a group policy puts back when the clock goes on.

$script:AuditWords = @('Keine Überwachung', 'Erfolg', 'Fehler', 'Erfolg und Fehler')

function Get-LabAuditLines($Audit) {
  $Audit['headings']
  foreach ($item in $Audit['subcategories']) {
    "SRV1,$($Audit['system']),$($item['name']),{$($item['id'].ToLowerInvariant())},$($script:AuditWords[$item['value']]),,$($item['value'])"
  }
  foreach ($item in @($Audit['users'])) {
    if ($null -ne $item) { "SRV1,$($item['sid']),Anmelden,{$($item['id'].ToLowerInvariant())},$($script:AuditWords[0]),,$($item['value'])" }
  }
  'SRV1,,Option:CrashOnAuditFail,,Disabled,,0'
}

# https://learn.microsoft.com/windows-server/administration/windows-commands/auditpol: /backup, /restore, /set by subcategory GUID.
function auditpol.exe {
  Assert-LabAllowed 'auditpol.exe'
  $audit = Get-LabSection audit
  $global:LASTEXITCODE = 87
  if ($args[0] -eq '/backup' -and $args.Count -eq 2 -and $args[1] -match '^/file:(.+)$') {
    $encoding = if ($audit['encoding'] -eq 'utf16') { [Text.Encoding]::Unicode } else { [Text.Encoding]::Latin1 }
    [IO.File]::WriteAllText($Matches[1], ((@(Get-LabAuditLines $audit) -join "`r`n") + "`r`n"), $encoding)
    $global:LASTEXITCODE = 0
  } elseif ($args[0] -eq '/restore' -and $args.Count -eq 2 -and $args[1] -match '^/file:(.+)$') {
    $text = [IO.File]::ReadAllText($Matches[1]).Replace("`0", '')
    foreach ($item in $audit['subcategories']) {
      if ($text -notmatch "(?im)^[^,]*,$([regex]::Escape($audit['system'])),.*\{$($item['id'])\},.*,(\d+)\s*$") { return }
      $item['value'] = [int]$Matches[1]
    }
    Save-Lab
    $global:LASTEXITCODE = 0
  } elseif ($args[0] -eq '/set' -and $args[1] -match '^/subcategory:\{([0-9A-Fa-f-]{36})\}$') {
    $id = $Matches[1]
    $item = @($audit['subcategories'] | Where-Object { $_['id'] -eq $id })
    if ($item.Count -ne 1) { return }
    foreach ($option in @($args)[2..($args.Count - 1)]) {
      switch -Regex ($option) {
        '^/success:enable$' { $item[0]['value'] = $item[0]['value'] -bor 1 }
        '^/success:disable$' { $item[0]['value'] = $item[0]['value'] -band 2 }
        '^/failure:enable$' { $item[0]['value'] = $item[0]['value'] -bor 2 }
        '^/failure:disable$' { $item[0]['value'] = $item[0]['value'] -band 1 }
        default { throw "auditpol /set has no option $option" }
      }
    }
    Save-Lab
    $global:LASTEXITCODE = 0
  } else { throw "the lab's auditpol does not know: $args" }
}

# https://learn.microsoft.com/windows-server/administration/windows-commands/wevtutil: set-log NAME /maxsize:BYTES. Sizes are
# whole multiples of 64 KiB.
function wevtutil.exe {
  Assert-LabAllowed 'wevtutil.exe'
  if ($args.Count -ne 3 -or $args[0] -ne 'set-log' -or $args[2] -notmatch '^/maxsize:(\d+)$') { throw "the lab's wevtutil does not know: $args" }
  $log = (Get-LabSection logs)[(Get-LabLogName $args[1])]
  $global:LASTEXITCODE = if ($null -eq $log) { 15007 } else { 0 }
  if ($null -eq $log) { return }
  $log['maxBytes'] = [long][Math]::Ceiling([long]$Matches[1] / 65536) * 65536
  Save-Lab
}

function Get-LabLogName([string]$Name) { @((Get-LabSection logs).Keys | Where-Object { $_ -eq $Name })[0] }

function Stop-LabEvents([string]$Id) {
  throw [Management.Automation.ErrorRecord]::new([Exception]::new('Es wurden keine Ereignisse gefunden.'), "$Id,Microsoft.PowerShell.Commands.GetWinEventCommand", 'ObjectNotFound', $null)
}

function Get-WinEvent {
  [CmdletBinding()]
  param([string[]]$ListLog, [string[]]$LogName, [hashtable[]]$FilterHashtable, [long]$MaxEvents = 0, [switch]$Oldest)
  Assert-LabAllowed 'Get-WinEvent'
  $logs = Get-LabSection logs
  if ($ListLog) {
    foreach ($one in $ListLog) {
      $name = Get-LabLogName $one
      if ($null -eq $name) { Stop-LabEvents 'NoMatchingLogsFound' }
      $log = $logs[$name]
      New-LabObject EventLogConfiguration @{ LogName = $name; IsEnabled = $log['enabled']; LogMode = $log['mode']; MaximumSizeInBytes = $log['maxBytes'] }
    }
    return
  }
  $filter = if ($FilterHashtable) { $FilterHashtable[0] } else { @{ LogName = $LogName[0] } }
  foreach ($key in $filter.Keys) { if (@('LogName', 'Id', 'StartTime', 'EndTime', 'ProviderName', 'Level') -notcontains $key) { throw "Get-WinEvent filters by no $key" } }
  $name = Get-LabLogName $filter['LogName']
  $found = @(@($logs[$name]['events']) | Where-Object {
      $null -ne $_ -and ($null -eq $filter['Id'] -or $_['id'] -eq $filter['Id']) -and
      ($null -eq $filter['StartTime'] -or (ConvertTo-LabTime $_['at']) -ge ([DateTime]$filter['StartTime']).ToUniversalTime())
    } | Sort-Object { $_['at'] } -Descending:(-not $Oldest))
  if ($found.Count -eq 0) { Stop-LabEvents 'NoMatchingEventsFound' }
  if ($MaxEvents -gt 0) { $found = @($found | Select-Object -First $MaxEvents) }
  foreach ($item in $found) { New-LabObject EventRecord @{ LogName = $name; Id = $item['id']; TimeCreated = $item['at'] } }
}

# A group policy that is applied again puts its own settings back.
$script:OnTime += {
  $lab = Get-Lab
  if (-not $lab.ContainsKey('audit')) { return }
  foreach ($set in @($lab['audit']['reverts'])) {
    if ($null -eq $set) { continue }
    foreach ($item in $lab['audit']['subcategories']) { if ($item['id'] -eq $set['id']) { $item['value'] = $set['value'] } }
  }
}
