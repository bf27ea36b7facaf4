//! The JVM's tools.

use super::{Check, Operands, Program, Syntax, program};

pub(super) const PROGRAMS: &[Program] = &[
    program("jps", Syntax::LongDash, Operands::Text, "-q -l -m -v -V -lv -lm -mlv -mlvV -help --help"),
    program("jstack", Syntax::LongDash, Operands::Text, "-l -e -F -m -h -help --help"),
    program(
        "jstat",
        Syntax::LongDash,
        Operands::Text,
        "-gc -gcutil -gccapacity -gccause -gcnew -gcnewcapacity -gcold -gcoldcapacity -gcmetacapacity -class -compiler \
        -printcompilation -options -t -help --help",
    ),
    program("jinfo", Syntax::LongDash, Operands::Text, "-flags -sysprops -flag=text:change -help --help"),
    program("jmap", Syntax::LongDash, Operands::Text, "-histo -clstats -finalizerinfo -heap -help --help -F"),
    program("jcmd", Syntax::Plain, Operands::Text, "").check(Check::Jcmd),
    program(
        "java javac jshell jrunscript jdb jar javaw jwebserver jpackage",
        Syntax::LongDash,
        Operands::Unknown,
        "",
    )
    .always("for a running JVM: `jcmd PID help`, `jstack PID`, `jstat -gcutil PID`"),
    program("jfr jhsdb jconsole jvisualvm asprof profiler.sh", Syntax::LongDash, Operands::Unknown, "")
        .always("`jcmd PID JFR.check`, `jstack PID`, `jcmd PID GC.class_histogram`"),
];
