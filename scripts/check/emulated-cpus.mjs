// What QEMU emulates: CPUs by name, and where the libraries of an arm64 process are. Off: what QEMU would warn that it
// lacks; AVX-512 it has none.
export const CPUS = {
  Nehalem: "Nehalem,x2apic=off,tsc-deadline=off",
  SandyBridge: "SandyBridge,x2apic=off,tsc-deadline=off",
  Haswell: "Haswell,x2apic=off,tsc-deadline=off,pcid=off,invpcid=off,hle=off,rtm=off",
};

export const ARM_LIBRARIES = "/usr/aarch64-linux-gnu";
