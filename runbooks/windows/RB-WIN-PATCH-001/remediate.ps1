param([string]$InputJson)
#region common
# What every script begins with, after its param line. It runs in Windows PowerShell 5.1 and in PowerShell 7. Change it here
# and run `npx node tools/copy-common.ts`: a script stands alone, since its digest is what people signed.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# A clinic's server has better things to do.
try { [Diagnostics.Process]::GetCurrentProcess().PriorityClass = 'BelowNormal' } catch { $null = $_ }
$In = ConvertFrom-Json -InputObject $InputJson
$Unread = New-Object System.Collections.ArrayList

function Get-UsedCpuMs { [int][Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime.TotalMilliseconds }

# Why something could not be read: from the error's type, number or id, never from its text, which is in the machine's language.
function Get-ErrorReason($Record) {
  $id = [string]$Record.FullyQualifiedErrorId
  $reason = 'failed'
  if ($id -like 'CommandNotFoundException*') { $reason = 'missing' }
  elseif ($id -like 'PropertyNotFoundStrict*') { $reason = 'missing_property' }
  elseif ($id -like 'over_budget*') { $reason = 'over_budget' }
  elseif ([string]$Record.CategoryInfo.Category -eq 'PermissionDenied') { $reason = 'denied' }
  elseif ([string]$Record.CategoryInfo.Category -eq 'OperationTimeout') { $reason = 'timeout' }
  $inner = $Record.Exception
  # A .NET method called from a script wraps what it throws: the number that counts is the innermost one.
  while ($null -ne $inner.InnerException) { $inner = $inner.InnerException }
  $code = '0x{0:x8}' -f $inner.HResult
  if ($id -match '^HRESULT (0x[0-9a-fA-F]{8})') { $code = $Matches[1].ToLowerInvariant() }
  if ($inner -is [UnauthorizedAccessException] -or $inner -is [Security.SecurityException]) { $reason = 'denied' }
  if (@('0x80070005', '0x80041003') -contains $code) { $reason = 'denied' }
  # Invalid class and invalid namespace: the feature is not installed.
  if (@('0x80041010', '0x8004100e') -contains $code) { $reason = 'missing' }
  [ordered]@{ reason = $reason; code = $code }
}

# What the block returns (one object), or null and a line in $Unread. A finding on something unread is `unknown`.
function Read-Part([string]$Part, [scriptblock]$Block) {
  try {
    if ((Get-UsedCpuMs) -gt 1000 * [int]$In.params.budget_cpu_s) { throw 'over_budget' }
    & $Block
  } catch {
    $why = Get-ErrorReason $_
    [void]$Unread.Add([ordered]@{ part = $Part; reason = $why.reason; code = $why.code })
    $null
  }
}

# A value of the registry; the default where the key or the value is not there. Denied or unreadable throws.
function Get-RegistryValue([string]$Path, [string]$Name, $Default) {
  try { $item = Get-ItemProperty -LiteralPath $Path }
  catch {
    if ([string]$_.CategoryInfo.Category -eq 'ObjectNotFound') { return $Default }
    throw
  }
  # A key without values is nothing at all.
  if ($null -eq $item) { return $Default }
  $found = $item.PSObject.Properties[$Name]
  if ($null -eq $found) { return $Default }
  $found.Value
}

function Get-IsoTime([DateTime]$Time) {
  $Time.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

# What the machine is. ProductType of Win32_OperatingSystem: 1 workstation, 2 domain controller, 3 server.
function Get-HostPart {
  Read-Part 'host' {
    $os = Get-CimInstance -ClassName Win32_OperatingSystem
    $roles = @{ 1 = 'workstation'; 2 = 'domain_controller'; 3 = 'member_server' }
    [ordered]@{
      role = $roles[[int]$os.ProductType]
      build = [int]$os.BuildNumber
      powershell = [int]$PSVersionTable.PSVersion.Major
      read_at = Get-IsoTime (Get-Date)
    }
  }
}

# One JSON document on one line, in ASCII: no code page on the way can change it.
function Write-Document([string]$Schema, $Facts) {
  $document = [ordered]@{ schema = $Schema; facts = $Facts; used = [ordered]@{ cpu_ms = Get-UsedCpuMs } }
  $json = ConvertTo-Json -InputObject $document -Depth 8 -Compress
  [regex]::Replace($json, '[^\x20-\x7e]', { param($found) '\u{0:x4}' -f [int][char]$found.Value })
}

function Write-Facts($Facts) { Write-Document 'compliance-agent/windows-facts/v1' $Facts }

# From and To: an integer, a boolean, null, or a lower-case name.
function New-Change([string]$What, $From, $To) { [ordered]@{ what = $What; from = $From; to = $To } }

# Status: changed, nothing_to_do, managed_elsewhere or started.
function Write-Actions([string]$Status, $Changes, [bool]$RebootRequired = $false) {
  $facts = [ordered]@{ status = $Status; reboot_required = $RebootRequired; changes = @($Changes) }
  Write-Document 'compliance-agent/windows-actions/v1' $facts
}
#endregion
#region common-patch
# ISO 8601 in UTC, or null: COM, FILETIME and .NET each have their own date that means "never".
function Get-IsoTimeOrNull($Value) {
  if ($null -eq $Value -or ([datetime]$Value).Year -lt 1980) { return $null }
  Get-IsoTime ([datetime]$Value)
}

# How bad an update is: Microsoft's own rating, which is never translated; without one, its classification by GUID.
$securityUpdates = '0FA1201D-4330-4FA8-8AE9-B877473B6441'
$criticalUpdates = 'E6CF1350-C01B-414D-A61F-263D14D133B4'
$taskPath = '\ComplianceAgent\'
$taskName = 'ComplianceAgent-Patch'

function Get-Level($Update) {
  switch ([string]$Update.MsrcSeverity) {
    'Critical' { return 'critical' }
    'Important' { return 'important' }
    'Moderate' { return 'moderate' }
    'Low' { return 'low' }
  }
  $classes = @(foreach ($category in $Update.Categories) { ([string]$category.CategoryID).ToUpperInvariant() })
  if ($classes -contains $securityUpdates -or $classes -contains $criticalUpdates) { return 'important' }
  return 'none'
}

# The Windows Update Agent gives times in UTC without saying so.
function ConvertTo-UpdateTime($Value) {
  if ($null -eq $Value) { return $null }
  return Get-IsoTimeOrNull ([datetime]::SpecifyKind([datetime]$Value, [System.DateTimeKind]::Utc))
}

# From what the machine last learned, without asking anybody: an online search costs minutes of processor time.
function Get-MissingUpdates {
  $session = New-Object -ComObject Microsoft.Update.Session
  $searcher = $session.CreateUpdateSearcher()
  $searcher.Online = $false
  $found = $searcher.Search("IsInstalled=0 and Type='Software'")
  if (@(2, 3) -notcontains [int]$found.ResultCode) { throw (New-Object System.InvalidOperationException) }
  foreach ($update in $found.Updates) {
    [pscustomobject]@{
      Id             = ([string]$update.Identity.UpdateID).ToLowerInvariant()
      Level          = Get-Level $update
      PublishedAt    = ConvertTo-UpdateTime $update.LastDeploymentChangeTime
      Hidden         = [bool]$update.IsHidden
      WaitsForReboot = [bool]$update.RebootRequired
      Interactive    = [bool]$update.InstallationBehavior.CanRequestUserInput
      Licence        = -not [bool]$update.EulaAccepted
    }
  }
}

# Whose word counts here: a server of updates, a policy of Windows Update for Business, a device management, or nobody's.
function Get-UpdateManager {
  $policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'
  if ([int](Get-RegistryValue "$policy\AU" 'UseWUServer' $null) -eq 1 -and [string](Get-RegistryValue $policy 'WUServer' $null) -ne '') { return 'wsus' }
  foreach ($name in 'DeferQualityUpdates', 'DeferQualityUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'TargetReleaseVersion') {
    if ($null -ne (Get-RegistryValue $policy $name $null)) { return 'wufb' }
  }
  foreach ($name in 'DeferQualityUpdatesPeriodInDays', 'PauseQualityUpdatesStartTime', 'AllowAutoUpdate') {
    if ($null -ne (Get-RegistryValue 'HKLM:\SOFTWARE\Microsoft\PolicyManager\current\device\Update' $name $null)) { return 'mdm' }
  }
  return 'nobody'
}

# With a pattern in both, "none" is an answer; without one it is an error.
function Get-PatchTask {
  return @(Get-ScheduledTask -TaskName "$taskName*" -TaskPath "$taskPath*" | Select-Object -First 1)
}
#endregion

# Installs what is overdue. Windows Update refuses to download and install for a remote logon, so a task of the machine itself does
# it: registered for one run, watched, and taken away again. Nothing here restarts the machine.
$isPlan = [string]$In.phase -eq 'plan'
$changes = New-Object System.Collections.ArrayList
$folder = [System.IO.Path]::Combine($env:ProgramFiles, 'ComplianceAgent', 'Patch')

# What the task runs, as SYSTEM. It installs the updates that it is told, and writes down what became of them.
$installer = @'
param([string]$Given)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# Its run, its folder, and the updates it installs.
$asked = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($Given)) -split "`n"
$run = $asked[0]
$folder = $asked[1]
$ids = @($asked | Select-Object -Skip 2)
$result = [ordered]@{ run = $run; state = 'failed'; installed = 0; failed = 0; skipped = 0; reboot_required = $false; code = '' }
try {
  $session = New-Object -ComObject Microsoft.Update.Session
  $searcher = $session.CreateUpdateSearcher()
  $searcher.Online = $true
  $found = $searcher.Search("IsInstalled=0 and Type='Software' and IsHidden=0")
  $chosen = New-Object -ComObject Microsoft.Update.UpdateColl
  foreach ($update in $found.Updates) {
    if ($ids -notcontains ([string]$update.Identity.UpdateID).ToLowerInvariant()) { continue }
    if ([bool]$update.InstallationBehavior.CanRequestUserInput -or -not [bool]$update.EulaAccepted) { $result.skipped++; continue }
    [void]$chosen.Add($update)
  }
  if ([int]$chosen.Count -eq 0) {
    $result.state = 'nothing_found'
  } else {
    $downloader = $session.CreateUpdateDownloader()
    $downloader.Updates = $chosen
    [void]$downloader.Download()
    $ready = New-Object -ComObject Microsoft.Update.UpdateColl
    foreach ($update in $chosen) { if ([bool]$update.IsDownloaded) { [void]$ready.Add($update) } else { $result.failed++ } }
    $install = $session.CreateUpdateInstaller()
    if ([bool]$install.RebootRequiredBeforeInstallation) {
      $result.state = 'reboot_first'
      $result.reboot_required = $true
    } elseif ([int]$ready.Count -gt 0) {
      $install.Updates = $ready
      $done = $install.Install()
      for ($index = 0; $index -lt [int]$ready.Count; $index++) {
        # 2 succeeded, 3 succeeded with errors; everything else is none.
        if (@(2, 3) -contains [int]$done.GetUpdateResult($index).ResultCode) { $result.installed++ } else { $result.failed++ }
      }
      $result.reboot_required = [bool]$done.RebootRequired
      $result.state = 'done'
    }
  }
} catch {
  $cause = $_.Exception
  while ($null -ne $cause.InnerException) { $cause = $cause.InnerException }
  $result.code = '0x{0:X8}' -f $cause.HResult
}
# Under another name first: whoever watches never reads half a file.
$place = [System.IO.Path]::Combine($folder, 'result.json')
[System.IO.File]::WriteAllText("$place.part", (ConvertTo-Json -InputObject $result -Depth 2 -Compress), (New-Object System.Text.UTF8Encoding($false)))
[System.IO.File]::Move("$place.part", $place)
'@

function Get-Sha256([byte[]]$Bytes) {
  $sha = [System.Security.Cryptography.SHA256]::Create()
  return ([System.BitConverter]::ToString($sha.ComputeHash($Bytes)) -replace '-', '').ToLowerInvariant()
}

function Remove-Task {
  Unregister-ScheduledTask -TaskName $taskName -TaskPath $taskPath -Confirm:$false
}

function Remove-Folder {
  if ([System.IO.Directory]::Exists($folder)) { [System.IO.Directory]::Delete($folder, $true) }
}

if ((Get-UpdateManager) -ne 'nobody' -and -not [bool]$In.params.install_when_managed) {
  Write-Actions 'managed_elsewhere' @() $false
  return
}

$task = @(Get-PatchTask)
if ($task.Count -gt 0 -and [string]$task[0].State -eq 'Running') {
  # Of an earlier order, and still at work: wait for it, start nothing beside it.
  Write-Actions 'started' @() $false
  return
}
if ($task.Count -gt 0 -or [System.IO.Directory]::Exists($folder)) {
  if (-not $isPlan) {
    if ($task.Count -gt 0) { Remove-Task }
    Remove-Folder
  }
  [void]$changes.Add((New-Change 'left_behind' 'present' 'removed'))
}

$now = (Get-Date).ToUniversalTime()
# So many fit on the task's command line; the next run takes the others.
$most = [System.Math]::Min(50, [int]$In.params.max_updates)
$days = @{ critical = [int]$In.params.critical_days; important = [int]$In.params.important_days }
$ids = @(Get-MissingUpdates | Where-Object {
    $days.ContainsKey($_.Level) -and -not $_.Hidden -and -not $_.WaitsForReboot -and -not $_.Interactive -and -not $_.Licence -and
    ($null -eq $_.PublishedAt -or ($now - ([datetime]$_.PublishedAt).ToUniversalTime()).TotalDays -gt $days[$_.Level])
  } | Select-Object -First $most | ForEach-Object { $_.Id })

if ($ids.Count -eq 0) {
  Write-Actions $(if ($changes.Count -gt 0) { 'changed' } else { 'nothing_to_do' }) $changes.ToArray() $false
  return
}
if ($isPlan) {
  [void]$changes.Add((New-Change 'updates_missing' $ids.Count 0))
  Write-Actions 'changed' $changes.ToArray() $false
  return
}

# Only administrators write below Program Files; from here on only they and SYSTEM read it too. SIDs: names are translated.
[void][System.IO.Directory]::CreateDirectory($folder)
icacls.exe $folder /inheritance:r /grant:r '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F' /q | Out-Null
if ($LASTEXITCODE -ne 0) { throw 'the folder of the task could not be closed to others' }

$utf8 = New-Object System.Text.UTF8Encoding($false)
$bytes = $utf8.GetBytes($installer)
$file = [System.IO.Path]::Combine($folder, 'install.ps1')
[System.IO.File]::WriteAllBytes($file, $bytes)
$run = [guid]::NewGuid().ToString('N')
$asked = (@($run, $folder) + $ids) -join "`n"
$quoted = $file -replace "'", "''"
# Reads the file once, compares its digest, and runs those very bytes: what changed in between does not run.
$loader = "`$b = [System.IO.File]::ReadAllBytes('$quoted'); " +
"`$h = ([System.BitConverter]::ToString([System.Security.Cryptography.SHA256]::Create().ComputeHash(`$b)) -replace '-', '').ToLowerInvariant(); " +
"if (`$h -ne '$(Get-Sha256 $bytes)') { exit 3 }; " +
"& ([scriptblock]::Create([System.Text.Encoding]::UTF8.GetString(`$b))) '$([System.Convert]::ToBase64String($utf8.GetBytes($asked)))'"
$encoded = [System.Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes($loader))

$action = New-ScheduledTaskAction -Execute '%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe' -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand $encoded"
$principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType ServiceAccount -RunLevel Highest
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([timespan]::FromMinutes([int]$In.params.task_minutes)) -MultipleInstances IgnoreNew -Priority 8 -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
[void](Register-ScheduledTask -TaskName $taskName -TaskPath $taskPath -Action $action -Principal $principal -Settings $settings -Force)
Start-ScheduledTask -TaskName $taskName -TaskPath $taskPath

$place = [System.IO.Path]::Combine($folder, 'result.json')
# Counted in sleeps, so that a clock which is set meanwhile changes nothing.
for ($waited = 0; $waited -lt [int]$In.params.wait_s -and -not [System.IO.File]::Exists($place); $waited += 5) {
  $task = @(Get-PatchTask)
  if ($task.Count -eq 0 -or [string]$task[0].State -ne 'Running') { break }
  Start-Sleep -Seconds 5
}
if (-not [System.IO.File]::Exists($place)) {
  $task = @(Get-PatchTask)
  if ($task.Count -gt 0 -and [string]$task[0].State -eq 'Running') {
    # It goes on without us. A later look judges what it did, and the next run clears up.
    [void]$changes.Add((New-Change 'updates_installing' 0 $ids.Count))
    Write-Actions 'started' $changes.ToArray() $false
    return
  }
  Remove-Task
  Remove-Folder
  throw 'the task ended without a result'
}
$result = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($place))
Remove-Task
Remove-Folder
if ([string]$result.run -ne $run) { throw 'the result is that of another run' }
if ([string]$result.state -eq 'failed') { throw "the task failed with code $($result.code)" }
if ([int]$result.installed -gt 0) {
  [void]$changes.Add((New-Change 'updates_missing' $ids.Count ($ids.Count - [int]$result.installed)))
}
Write-Actions $(if ($changes.Count -gt 0) { 'changed' } else { 'nothing_to_do' }) $changes.ToArray() ([bool]$result.reboot_required)
