# Who the machine is: its local accounts, and on a domain controller the name that every domain has.

Register-LabCim Win32_UserAccount

# The one filter that is used here. The core's reads TRUE as FALSE, and a change of the core would change every recording.
function Test-LabFilter([string]$Filter, $Row) {
  if ($Filter -cne 'LocalAccount=TRUE') { throw "the lab does not know the filter: $Filter" }
  $Row['LocalAccount'] -eq $true
}

# https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/new-object
function New-Object {
  [CmdletBinding()]
  param([Parameter(Mandatory, Position = 0)][string]$TypeName, [Parameter(Position = 1)][object[]]$ArgumentList)
  if ($TypeName -ne 'Security.Principal.NTAccount') {
    return Microsoft.PowerShell.Utility\New-Object -TypeName $TypeName -ArgumentList $ArgumentList
  }
  # https://learn.microsoft.com/dotnet/api/system.security.principal.ntaccount.translate
  $account = [psobject]::new()
  $name = [string]$ArgumentList[0]
  $names = (Get-Lab)['names']
  $account.PSObject.Methods.Add([psscriptmethod]::new('Translate', {
        param($Type)
        if ($Type -ne [Security.Principal.SecurityIdentifier]) { throw 'the lab translates names to SIDs only' }
        if ($null -eq $names -or -not $names.ContainsKey($name)) {
          # IdentityNotMappedException, which this platform does not have.
          throw [Management.Automation.RuntimeException]::new('Some or all identity references could not be translated.')
        }
        $names[$name]
      }.GetNewClosure()))
  $account
}
