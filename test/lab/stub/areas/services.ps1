# Services and processes: `cim.Win32_Service` and `cim.Win32_Process` of the state.
Register-LabCim Win32_Service
Register-LabCim Win32_Process
