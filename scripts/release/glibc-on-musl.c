/* What the libstdc++ and libgcc_s of a glibc system ask of glibc and musl has not: with it, named as glibc's dynamic
   linker, they serve Bun's musl build, which asks for a libstdc++ and has none in its package. For a release's run. */
#include <locale.h>
#include <stddef.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded;
unsigned __cpu_model[4];

int __cpu_indicator_init(void) { return 0; }

/* Not found: the unwinder asks dl_iterate_phdr then. */
int _dl_find_object(void *address, void *result) {
  (void)address, (void)result;
  return -1;
}

unsigned arc4random(void) {
  unsigned value = 0;
  getrandom(&value, sizeof value, 0);
  return value;
}

size_t __strftime_l(char *to, size_t size, const char *format, const struct tm *time, locale_t locale) {
  return strftime_l(to, size, format, time, locale);
}

/* Destructors of thread-locals do not run. */
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) {
  (void)destroy, (void)object, (void)library;
  return 0;
}
