// The first process of a container that was asked for one (--init): it starts the program, hands signals on to it,
// reaps whatever else ends, and ends as the program does.
#pragma once

// `program`: its words, ending in NULL.
_Noreturn void be_init(char **program);
