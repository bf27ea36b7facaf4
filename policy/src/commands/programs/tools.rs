//! Archives, version control and the rest.

use super::{Check, Operands, Program, Syntax, program};

const TAR: &str = "-A/--catenate/--concatenate:writes -c/--create:writes -d/--diff/--compare --delete:writes -r/--append:writes -t/--list -u/--update:writes -x/--extract/--get:starts \
    -f/--file=read -C/--directory=chdir -v/--verbose -z/--gzip/--gunzip -j/--bzip2 -J/--xz --lzma --zstd -Z/--compress -a/--auto-compress \
    -I/--use-compress-program=text:starts --to-command=text:starts --checkpoint?=num --checkpoint-action=text:starts -F/--info-script/--new-volume-script=text:starts --rsh-command=text:starts \
    --rmt-command=text:starts -M/--multi-volume:starts -T/--files-from=read:starts -X/--exclude-from=read --exclude=text -p/--preserve-permissions -O/--to-stdout -k/--keep-old-files \
    -h/--dereference -l -m/--touch -n -o -P/--absolute-names -S/--sparse -V/--label=text -w/--interactive -W/--verify -b/--blocking-factor=num -B -g/--listed-incremental=write \
    --index-file=write --volno-file=write --remove-files:starts --strip-components=num --transform=text:starts --wildcards --no-recursion --numeric-owner --owner=text --group=text \
    --mode=text --one-file-system --totals --help --version --usage";

pub(super) const PROGRAMS: &[Program] = &[
    program("tar gtar", Syntax::Bundle, Operands::Read, TAR).check(Check::Tar),
    program("bsdtar cpio pax ar zip unzip 7z 7za unrar rar", Syntax::Gnu, Operands::Unknown, "").always(
        "to look into an archive: `tar tf FILE`, `zcat FILE | head`; to copy, scp or sftp against the gateway",
    ),
    program("git hg svn", Syntax::Posix, Operands::Unknown, "-c=text:starts -C=chdir -p -P").always("look at the sources where you are"),
    program("ansible ansible-playbook terraform puppet chef salt salt-call", Syntax::Gnu, Operands::Unknown, "").always("run it where you are"),
    program("passwd chpasswd useradd adduser userdel usermod groupadd groupdel chsh chfn gpasswd", Syntax::Gnu, Operands::Unknown, "").always(
        "accounts belong into the image",
    ),
    program("gpg ssh-keygen ssh-add ssh-agent age", Syntax::Gnu, Operands::Unknown, "").always("keys stay where they are"),
    program("sendmail mail mailx mutt", Syntax::Gnu, Operands::Unknown, "").always("copy the file through the gateway and send it from where you are"),
    program("mkfs fdisk parted insmod modprobe rmmod kexec fsck debugfs dumpe2fs", Syntax::Gnu, Operands::Unknown, "").always("disks and the kernel are the node's"),
];
