# NixOS module for the HP T640 thin client: UEFI, AMD Ryzen R1505G with a firmware TPM 2.0, eMMC or M.2, DisplayPort. For the machine
# that is installed and for the stick that installs it.
{ lib, ... }:
{
  boot.initrd.availableKernelModules = [
    # What it can be installed on: M.2 by NVMe or SATA, and eMMC.
    "nvme"
    "ahci"
    "sd_mod"
    "sdhci_acpi"
    "sdhci_pci"
    "mmc_block"
    # Stick and keyboard.
    "xhci_pci"
    "usb_storage"
    "uas"
    "usbhid"
    "hid_generic"
    # The TPM is asked before the disk is open.
    "tpm_crb"
    "tpm_tis"
  ];
  # A console of full size from the first second, by DisplayPort.
  boot.initrd.kernelModules = [ "amdgpu" ];
  boot.kernelModules = [ "sp5100_tco" ];
  # Firmware of the graphics and the network card, and microcode.
  hardware.enableRedistributableFirmware = lib.mkDefault true;
  hardware.cpu.amd.updateMicrocode = lib.mkDefault true;
  powerManagement.cpuFreqGovernor = lib.mkDefault "schedutil";
  nixpkgs.hostPlatform = lib.mkDefault "x86_64-linux";
}
