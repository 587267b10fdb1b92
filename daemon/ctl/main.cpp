#include "daemon/ctl/run.h"

int main(int argc, char** argv) { return wsl4::ctl::run(argc, argv); }
