// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "tandem_system.h"

#ifdef __linux__

#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

/// What the kernel says of a page (Documentation/admin-guide/mm/pagemap.rst).
#define PAGE_IN_MEMORY (UINT64_C(1) << 63)
#define PAGE_SWAPPED (UINT64_C(1) << 62)
#define PAGE_OF_FILE (UINT64_C(1) << 61)

typedef struct {
    int pagemap;
    uintptr_t page;
    size_t bytes;
} release_state;

/// Whether no page of a range has become the process's own by being written to.
static bool is_untouched(const release_state *state, uintptr_t begin, uintptr_t end) {
    uint64_t entries[256];
    uintptr_t index = begin / state->page, last = end / state->page;
    while (index < last) {
        size_t count = last - index < 256 ? (size_t)(last - index) : 256;
        ssize_t got = pread(state->pagemap, entries, count * sizeof entries[0], (off_t)(index * sizeof entries[0]));
        if (got != (ssize_t)(count * sizeof entries[0])) return false;
        for (size_t place = 0; place < count; place++) {
            uint64_t entry = entries[place];
            if (entry & PAGE_SWAPPED) return false;
            if ((entry & PAGE_IN_MEMORY) && !(entry & PAGE_OF_FILE)) return false;
        }
        index += count;
    }
    return true;
}

/// Objects in the loader's list have all their segments in place; what is never writable is not written by the loader
/// either, unless the object says that its code has to be relocated.
static int release_object(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    release_state *state = context;
    for (int part = 0; part < info->dlpi_phnum; part++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[part];
        if (header->p_type != PT_DYNAMIC) continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(info->dlpi_addr + header->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_TEXTREL) return 0;
            if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)) return 0;
        }
    }
    for (int part = 0; part < info->dlpi_phnum; part++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[part];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W)) continue;
        uintptr_t begin = (info->dlpi_addr + header->p_vaddr) & ~(state->page - 1);
        // A page that is shared with what follows belongs to that.
        uintptr_t end = (info->dlpi_addr + header->p_vaddr + header->p_memsz) & ~(state->page - 1);
        // The kernel's own object has no file.
        uintptr_t kernel = (uintptr_t)getauxval(AT_SYSINFO_EHDR);
        if (begin >= end || (begin <= kernel && kernel < end)) continue;
        if (!is_untouched(state, begin, end)) continue;
        if (madvise((void *)begin, end - begin, MADV_DONTNEED) == 0) state->bytes += end - begin;
    }
    return 0;
}

size_t tk_release_program_pages(void) {
    release_state state = {.page = (uintptr_t)sysconf(_SC_PAGESIZE)};
    state.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (state.pagemap < 0) return 0;
    dl_iterate_phdr(release_object, &state);
    close(state.pagemap);
    return state.bytes;
}

#else

size_t tk_release_program_pages(void) { return 0; }

#endif
