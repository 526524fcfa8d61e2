/* Runs every test in a process of its own, which a broker that does not answer cannot hold up, and
 * prints what came out in the Test Anything Protocol. */

#include "client.h"

#include <sys/wait.h>
#include <unistd.h>

#define SECONDS_OF_A_RESTART 110

static int number, failures;

static void run(const struct test *test) {
  bool can_restart = getenv("LEVERET_TEST_RESTART") != NULL;
  number++;
  if (test->needs_restart && !can_restart) {
    printf("ok %d - %s # SKIP LEVERET_TEST_RESTART names no command that restarts the broker\n",
           number, test->name);
    return;
  }
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    alarm(test->needs_restart ? SECONDS_OF_A_RESTART : SECONDS_OF_A_TEST);
    test->run();
    fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("# ended by signal %d\n", WTERMSIG(status));
  if (status != 0) failures++;
  printf("%s %d - %s\n", status == 0 ? "ok" : "not ok", number, test->name);
}

int main(void) {
  const struct test *all[] = {delivery_tests, publishing_tests, header_tests, error_tests,
                              rpc_tests};
  for (size_t suite = 0; suite < sizeof all / sizeof *all; suite++)
    for (const struct test *test = all[suite]; test->name; test++) run(test);
  printf("1..%d\n", number);
  return failures != 0;
}
