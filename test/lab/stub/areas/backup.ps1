# Windows Server Backup (`wsb` of the state: {summary, policy, jobs, target: {sets}, minutes, ends}) and Veeam (`veeam`: {jobs,
# points, surebackup, minutes, ends}). A started backup takes `minutes`, and ends as `ends` says: "good" or "bad".

function Format-LabTime([DateTime]$Time) { $Time.ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture) }

function Get-WBSummary { [CmdletBinding()] param() New-LabObject WBSummary (Get-LabSection wsb).summary }

function Get-WBPolicy {
  [CmdletBinding()] param()
  if ((Get-LabSection wsb).policy) { New-LabObject WBPolicy @{} }
}

# The current job, or nothing; with Previous the last ones, newest first.
function Get-WBJob {
  [CmdletBinding()] param([uint32]$Previous)
  $jobs = @((Get-LabSection wsb).jobs)
  if ($PSBoundParameters.ContainsKey('Previous')) {
    $jobs | Where-Object { $_.JobState -ne 'Running' } | Select-Object -First $Previous | ForEach-Object { New-LabObject WBJob $_ }
  } else {
    $jobs | Where-Object { $_.JobState -eq 'Running' } | ForEach-Object { New-LabObject WBJob $_ }
  }
}

function Get-WBBackupTarget {
  [CmdletBinding()] param([Parameter(Mandatory)]$Policy)
  if ((Get-LabSection wsb)['target']) { New-LabObject WBBackupTarget @{ TargetType = 'Volume' } }
}

function Get-WBBackupSet {
  [CmdletBinding()] param($BackupTarget)
  foreach ($at in @((Get-LabSection wsb).target.sets)) { New-LabObject WBBackupSet @{ BackupTime = $at } }
}

function Start-WBBackup {
  [CmdletBinding()] param([Parameter(Mandatory)]$Policy, [switch]$Async, [switch]$Force)
  $wsb = Get-LabSection wsb
  Assert-LabAllowed Start-WBBackup
  if (-not $Async) { throw 'the lab starts backups with -Async only' }
  $wsb.jobs = @(@{ JobType = 'Backup'; JobState = 'Running'; StartTime = Format-LabTime (Get-LabNow) }) + @($wsb.jobs)
  Save-Lab
}

# Veeam's objects name no job of a session; the lab finds it by its place in the list (LabIndex, which no script reads).
function Get-VBRJob {
  [CmdletBinding()] param()
  $index = 0
  foreach ($job in @((Get-LabSection veeam).jobs)) {
    $object = New-LabObject VBRJob @{ NextRun = $job.next; LastResult = $job.result; LastState = $job.state }
    $object.PSObject.Properties.Add([psnoteproperty]::new('LabIndex', $index))
    $index++
    $object
  }
}

function Get-LabVeeamJob($Job) {
  @((Get-LabSection veeam).jobs)[$Job.LabIndex]
}

function Get-VBRSession {
  [CmdletBinding()] param([Parameter(Mandatory)]$Job, [switch]$Last, [string]$Result)
  $found = Get-LabVeeamJob $Job
  if ($Last) {
    New-LabObject VBRSession @{ State = $found.state; Result = $found.result; EndTime = $found.ended }
  } else {
    foreach ($at in @($found.successes)) { if ($null -ne $at -and $Result -eq 'Success') { New-LabObject VBRSession @{ State = 'Stopped'; Result = 'Success'; EndTime = $at } } }
  }
}

function Get-VBRApplicationRestorePoint {
  [CmdletBinding()] param()
  foreach ($corrupted in @((Get-LabSection veeam).points)) { if ($null -ne $corrupted) { New-LabObject VBRApplicationRestorePoint @{ IsCorrupted = $corrupted } } }
}

# SureBackup is a matter of the edition.
function Get-VSBSession {
  [CmdletBinding()] param()
  if ($null -eq (Get-LabSection veeam)['surebackup']) {
    $failure = [Management.Automation.CommandNotFoundException]::new('not there')
    throw [Management.Automation.ErrorRecord]::new($failure, 'CommandNotFoundException', 'ObjectNotFound', 'Get-VSBSession')
  }
  foreach ($session in @((Get-LabSection veeam).surebackup)) { New-LabObject CSbSession $session }
}

function Start-VBRJob {
  [CmdletBinding()] param([Parameter(Mandatory)]$Job, [switch]$RunAsync)
  if (-not $RunAsync) { throw 'the lab starts jobs with -RunAsync only' }
  $found = Get-LabVeeamJob $Job
  $found.state = 'Working'
  $found.result = 'None'
  $found['started'] = Format-LabTime (Get-LabNow)
  Save-Lab
}

$script:OnTime += {
  $now = Get-LabNow
  $lab = Get-Lab
  if ($lab.ContainsKey('wsb')) {
    $wsb = $lab.wsb
    foreach ($job in @($wsb.jobs)) {
      if ($null -eq $job -or $job.JobState -ne 'Running' -or $now -lt (ConvertTo-LabTime $job.StartTime).AddMinutes($wsb.minutes)) { continue }
      $ended = Format-LabTime (ConvertTo-LabTime $job.StartTime).AddMinutes($wsb.minutes)
      $good = $wsb.ends -eq 'good'
      $job.JobState = 'Completed'
      $job['EndTime'] = $ended
      $job['HResult'] = $(if ($good) { 0 } else { -2139619229 })
      $wsb.summary.LastBackupTime = $ended
      $wsb.summary.LastBackupResultHR = $job.HResult
      if ($good) {
        $wsb.summary.LastSuccessfulBackupTime = $ended
        $wsb.summary.NumberOfVersions++
        $wsb.target.sets = @($ended) + @($wsb.target.sets)
      }
    }
  }
  if ($lab.ContainsKey('veeam')) {
    foreach ($job in @($lab.veeam.jobs)) {
      if ($job.state -ne 'Working' -or $now -lt (ConvertTo-LabTime $job.started).AddMinutes($lab.veeam.minutes)) { continue }
      $job.state = 'Stopped'
      $job.ended = Format-LabTime (ConvertTo-LabTime $job.started).AddMinutes($lab.veeam.minutes)
      $job.result = $(if ($lab.veeam.ends -eq 'good') { 'Success' } else { 'Failed' })
      if ($job.result -eq 'Success') { $job.successes = @($job.ended) + @($job.successes) }
    }
  }
}
