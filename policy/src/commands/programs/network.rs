//! The network: looking, asking, fetching.

use super::{Check, Operands, Program, Syntax, program};

const CURL: &str = "-#/--progress-bar -0/--http1.0 -1/--tlsv1 -2/--sslv2 -3/--sslv3 -4/--ipv4 -6/--ipv6 -a/--append -A/--user-agent=text \
    --anyauth --basic -b/--cookie=read -c/--cookie-jar=write --cacert=read --capath=read -E/--cert=read --cert-status --cert-type=text \
    --ciphers=text --compressed -K/--config=read:starts --connect-timeout=num --connect-to=text:change -C/--continue-at=text --create-dirs \
    --crlf -d/--data=at --data-ascii=at --data-binary=at --data-raw=text --data-urlencode=at --delegation=text --digest -q/--disable \
    --dns-servers=text -D/--dump-header=write --etag-compare=read --etag-save=write --expect100-timeout=num -f/--fail --fail-early \
    --fail-with-body -F/--form=form --form-string=text -G/--get -g/--globoff -I/--head -H/--header=at -h/--help --http0.9 --http1.1 \
    --http2 --http2-prior-knowledge --http3 -i/--include --show-headers -k/--insecure --interface=text -j/--junk-session-cookies --json=at \
    --keepalive-time=num --key=read --key-type=text --libcurl=write --limit-rate=text -l/--list-only --local-port=text -L/--location \
    --location-trusted -M/--manual --max-filesize=num --max-redirs=num -m/--max-time=num --negotiate -n/--netrc --netrc-file=read \
    --netrc-optional --next -N/--no-buffer --no-keepalive --no-progress-meter --noproxy=text --no-sessionid --ntlm --oauth2-bearer=secret \
    -o/--output=write --output-dir=into -Z/--parallel --pass=secret --path-as-is --pinnedpubkey=read --post301 --post302 --post303 \
    --preproxy=text:change --proto=text --proto-default=text:starts --proto-redir=text -x/--proxy=text:change -U/--proxy-user=secret \
    -p/--proxytunnel -r/--range=text --random-file=read --raw -e/--referer=text -J/--remote-header-name:writes -O/--remote-name:writes \
    --remote-name-all:writes -R/--remote-time -X/--request=text --request-target=text --resolve=text:change --retry=num --retry-delay=num \
    --retry-max-time=num --retry-all-errors --retry-connrefused -S/--show-error -s/--silent --socks4=text:change --socks5=text:change \
    --socks5-hostname=text:change -Y/--speed-limit=num -y/--speed-time=num --ssl-reqd --stderr=write --tcp-nodelay --tls-max=text \
    --tlsv1.0 --tlsv1.1 --tlsv1.2 --tlsv1.3 -t/--telnet-option=text -z/--time-cond=read --trace=write --trace-ascii=write --trace-time \
    --tr-encoding -T/--upload-file=read --url=at --url-query=at --unix-socket=read:change --abstract-unix-socket=text:change -u/--user=secret \
    -v/--verbose -V/--version -w/--write-out=at --hsts=write --alt-svc=write --engine=text:starts";
const WGET: &str = "-V/--version -h/--help -b/--background:writes -e/--execute=text:starts -o/--output-file=write -a/--append-output=write \
    -d/--debug -q/--quiet -v/--verbose -nv/--no-verbose -i/--input-file=read -F/--force-html -B/--base=text --config=read:starts \
    -t/--tries=num --retry-connrefused -O/--output-document=write -nc/--no-clobber -c/--continue --progress=text --show-progress \
    -N/--timestamping -S/--server-response --spider -T/--timeout=num --dns-timeout=num --connect-timeout=num --read-timeout=num \
    -w/--wait=num --waitretry=num --limit-rate=text -Q/--quota=text --bind-address=text -4/--inet4-only -6/--inet6-only --user=text \
    --password=secret --ask-password --use-askpass=text:starts --no-proxy --http-user=text --http-password=secret --no-cache \
    --header=text --max-redirect=num --proxy-user=text --proxy-password=secret --referer=text --save-headers -U/--user-agent=text \
    --no-http-keep-alive --load-cookies=read --save-cookies=write --post-data=text:change --post-file=read:change --method=text:change \
    --body-data=text:change --body-file=read:change --content-disposition:writes --content-on-error --secure-protocol=text \
    --no-check-certificate --certificate=read --private-key=read --ca-certificate=read --ca-directory=read -P/--directory-prefix=into \
    -r/--recursive:deep:writes -m/--mirror:deep:writes -k -p -np -Y=text";
const SS: &str = "-h/--help -V/--version -H/--no-header -O/--oneline -n/--numeric -r/--resolve -a/--all -l/--listening -B -o/--options -e/--extended \
    -m/--memory -p/--processes -T/--threads -i/--info -s/--summary -E/--events -Z/--context -z/--contexts -N/--net=text:starts -b/--bpf \
    -4/--ipv4 -6/--ipv6 -0/--packet -t/--tcp -u/--udp -d/--dccp -w/--raw -x/--unix -S/--sctp -M --tipc --vsock --xdp -f/--family=text \
    -K/--kill:change -A/--query=text --socket=text -D/--diag=write -F/--filter=read --tos --cgroup --inet-sockopt";

pub(super) const PROGRAMS: &[Program] = &[
    program("curl", Syntax::Gnu, Operands::Url, CURL).check(Check::Url),
    program("wget wget2", Syntax::Gnu, Operands::Url, WGET).check(Check::Url),
    program("ss", Syntax::Gnu, Operands::Text, SS),
    program("netstat", Syntax::Gnu, Operands::Text, "-a/--all -A=text -c/--continuous -C/--cache -e/--extend -F/--fib -g/--groups -i/--interfaces -l/--listening \
        -M/--masquerade -n/--numeric --numeric-hosts --numeric-ports --numeric-users -N/--symbolic -o/--timers -p/--programs/--program -r/--route -s/--statistics \
        -t/--tcp -u/--udp -U/--udplite -S/--sctp -v/--verbose -V/--version -w/--raw -W/--wide -x/--unix -Z/--context -4 -6 -h/--help"),
    program("ip", Syntax::LongDash, Operands::Text, "-V/-Version -h/-human -b/-batch=read:starts -force -s/-stats/-statistics -d/-details -l/-loops=num -f/-family=text \
        -4 -6 -B -M -0 -o/-oneline -r/-resolve -n/-netns=text:starts -N/-Numeric -a/-all:starts -c?=text -color?=text -t/-timestamp -ts/-tshort \
        -rc/-rcvbuf=num -iec -br/-brief -j/-json -p/-pretty").check(Check::Ip),
    program("ifconfig", Syntax::Gnu, Operands::Text, "-a -s -v").check(Check::Sets('-')),
    program("route", Syntax::Gnu, Operands::Text, "-n -e -F -C -v -A=text -4 -6").check(Check::Sets('-')),
    program("arp", Syntax::Gnu, Operands::Text, "-a -n/--numeric -e -v/--verbose -i/--device=text -d/--delete:change -s/--set:change -f/--file=read:change -H=text -D:change"),
    program("dig", Syntax::LongDash, Operands::Text, "-4 -6 -b=text -c=text -f=read -h -i -k=read -m -p=num -q=text -r -t=text -u -v -x=text -y=secret"),
    program("host", Syntax::Gnu, Operands::Text, "-a -A -c=text -C -d -i -l -m=text -N=num -p=num -r -R=num -s -t=text -T -U -v -V -w -W=num -4 -6"),
    program("nslookup", Syntax::LongDash, Operands::Text, "-type=text -query=text -port=num -timeout=num -retry=num -debug -class=text -version"),
    program("getent", Syntax::Gnu, Operands::Text, "-s/--service=text:starts -i/--no-idn -? -V").check(Check::Getent),
    program("ping ping4 ping6 arping", Syntax::Gnu, Operands::Text, "-4 -6 -a -A -b -B -c=num -C -d -D -e=num -f:change -F=text -h -H -i=text -I=text -l=num:change \
        -L -m=num -M=text -n -N=text -O -p=text -q -Q=text -r -R -s=num -S=num -t=num -T=text -U -v -V -w=num -W=num"),
    program("traceroute traceroute6 tracepath mtr", Syntax::Gnu, Operands::Text, "-4 -6 -b -d -f/--first=num -F -g=text -i/--interface=text -I/--icmp -l=num -m/--max-hops=num \
        -n/--no-dns -N=num -p/--port=num -q/--queries=num -r/--report -c/--report-cycles=num -s=text -t=num -T/--tcp -U/--udp -V/--version -w=text -z=num --json"),
    program("nc ncat netcat nc.openbsd nc.traditional", Syntax::Gnu, Operands::Text, "-4 -6 -b -c/--sh-exec=text:starts -C -d -D -e/--exec=text:starts --lua-exec=read:starts -F -h/--help \
        -I=num -i=text -k/--keep-open:change -l/--listen:change -L:change -m=num -M=num -n -N -O=num -o=write -p=num -P=text -q=num -r -S -s=text -t -T=text -U:change -u -V=num -v -w=text -W=num \
        -X=text:change -x=text:change -z -Z"),
    program("telnet", Syntax::Gnu, Operands::Text, "").always("to see whether a port answers: `nc -z -w 3 HOST PORT`"),
    program("tcpdump", Syntax::Gnu, Operands::Text, "-A -b/--dont-resolve -B/--buffer-size=num -c=num --count -C=num -d -D/--list-interfaces -e -E=text -f -F=read -G=num -h/--help \
        -H -i/--interface=text -I -j=text -J -K -l -L -m=read -M=secret -n -N -O -p -q -Q=text -r=read -s/--snapshot-length=num -S -t -T=text -u -U -v -V=read -w=write -W=num \
        -x -X -y=text -z=text:starts -Z=text --version --immediate-mode --print -#/--number"),
    program("tshark dumpcap", Syntax::Gnu, Operands::Text, "-X=text:starts -w=write -r=read -i=text -f=text -Y=text -n -c=num -a=text -b=text -V -T=text -e=text"),
    program("ssh scp sftp rsync rsh rlogin mosh autossh sshpass", Syntax::Posix, Operands::Text, "").always(
        "to copy files use scp or sftp against the gateway; to reach another pod, open it through the gateway",
    ),
    program("socat", Syntax::Gnu, Operands::Text, "").always("to see whether a port answers: `nc -z -w 3 HOST PORT`; to reach it, `ssh -L`"),
    program("openssl", Syntax::LongDash, Operands::Unknown, "").always("for a server's certificate: `curl -sv https://HOST:PORT/`"),
    program("ftp tftp lftp smbclient", Syntax::Gnu, Operands::Text, "").always("to copy files use scp or sftp against the gateway"),
    program("iptables ip6tables nft ebtables tc brctl ethtool", Syntax::Gnu, Operands::Unknown, "").always("to look: `ss -s`, `ip route show`, `netstat -s`"),
];
