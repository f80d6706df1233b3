# R's answers on the published examples. usage: Rscript reference.R <this folder>
# The data are first held against the copies that R's packages carry; nothing is written if one differs. The coefficients
# of the kidney equations are typed here from print, on their own: nothing of the project's code is read.
args <- commandArgs(TRUE); D <- if (length(args)) args[1] else "."
suppressMessages({library(survival); library(nlme); library(MASS); library(npsurv); library(mice)})
rd <- function(f) read.csv(file.path(D, paste0(f, ".csv")))
R <- data.frame(key=character(), value=numeric(), how=character())
put <- function(k, v, how) R <<- rbind(R, data.frame(key=k, value=as.numeric(v), how=how))
same <- function(a, b) stopifnot(length(a) == length(b), all(a == b))
## ---- one proportion, two proportions --------------------------------------------------------
w <- prop.test(15, 148, correct=FALSE)$conf.int; put(c("wilson.lower","wilson.upper"), w, "prop.test, no correction")
b <- binom.test(15, 148)$conf.int; put(c("clopper.lower","clopper.upper"), b, "binom.test")
wl <- function(x, n) prop.test(x, n, correct=FALSE)$conf.int
newcombe <- function(x1, n1, x0, n0) { p1 <- x1/n1; p0 <- x0/n0; a <- suppressWarnings(wl(x1,n1)); c <- suppressWarnings(wl(x0,n0))
  c(p1-p0-sqrt((p1-a[1])^2+(c[2]-p0)^2), p1-p0+sqrt((a[2]-p1)^2+(p0-c[1])^2)) }
put(c("newcombe.2.lower","newcombe.2.upper"), newcombe(9,10,3,10), "closed form of Newcombe (1998), method 10, on prop.test's limits")
tab <- function(x1,n1,x0,n0) matrix(c(x1,n1-x1,x0,n0-x0),2)
put("fisher.tea", fisher.test(tab(3,4,1,4))$p.value, "fisher.test")
put("fisher.epinephrine", fisher.test(tab(7,34,1,34))$p.value, "fisher.test")
# Unconditional tests by enumeration of all tables: sup over the common probability of the probability of the tables that
# are at least as extreme; the grid's best point is refined by optimise() between its neighbours.
supremum <- function(extreme, n1, n0) { i <- which(extreme, arr.ind=TRUE) - 1
  f <- function(p) sum(dbinom(i[,1],n1,p)*dbinom(i[,2],n0,p)); g <- seq(0,1,length.out=20001); v <- sapply(g,f)
  at <- order(v, decreasing=TRUE)[1:20]
  max(v, sapply(at, function(k) optimise(f, c(g[max(k-1,1)], g[min(k+1,20001)]), maximum=TRUE, tol=1e-12)$objective)) }
boschloo <- function(x1,n1,x0,n0) { one <- function(x1,x0,n1,n0) { t <- outer(0:n1, 0:n0, function(a,b) phyper(a-1,n1,n0,a+b,lower.tail=FALSE))
    supremum(t <= t[x1+1,x0+1]*(1+1e-9), n1, n0) }
  min(1, 2*min(one(x1,x0,n1,n0), one(x0,x1,n0,n1))) }
barnard <- function(x1,n1,x0,n0) { z <- outer(0:n1, 0:n0, function(a,b) { p <- (a+b)/(n1+n0); s <- sqrt(p*(1-p)*(1/n1+1/n0)); ifelse(s==0, 0, (a/n1-b/n0)/s) })
  supremum(abs(z) >= abs(z[x1+1,x0+1])*(1-1e-9), n1, n0) }
put("boschloo.epinephrine", boschloo(7,34,1,34), "enumeration of all tables, twice the smaller side")
put("barnard.epinephrine", barnard(7,34,1,34), "enumeration of all tables, pooled score, both sides")
k <- matrix(c(20,10,5,15),2); k <- k/sum(k); pe <- sum(rowSums(k)*colSums(k)); put("kappa", (sum(diag(k))-pe)/(1-pe), "closed form of Cohen (1960)")
## ---- leukaemia ----------------------------------------------------------------------------------
d <- rd("leukaemia"); g <- gehan; for (a in c("6-MP","placebo")) { x <- d[d$treatment==a,]; y <- g[g$treat==(if (a=="placebo") "control" else a),]
  same(sort(x$weeks + !x$event), sort(y$time + (y$cens==0))); same(sort(x$weeks), sort(y$time)); same(sum(x$event), sum(y$cens)) }
f <- survfit(Surv(weeks,event)~1, data=d[d$treatment=="6-MP",]); for (t in c(6,7,10,13,16,22,23)) put(paste0("km.",t), summary(f,times=t)$surv, "survfit")
for (a in c("6-MP","placebo")) put(paste0("median.",a), quantile(survfit(Surv(weeks,event)~1, data=d[d$treatment==a,]), .5)$quantile, "survfit")
s <- survdiff(Surv(weeks,event)~treatment, data=d); put("logrank.chisq", s$chisq, "survdiff"); put(c("logrank.expected.6-MP","logrank.expected.placebo"), s$exp, "survdiff")
## ---- lung cancer, men --------------------------------------------------------------------------
d <- rd("lung_men"); y <- lung[lung$sex==1,]; same(d$days[order(d$days,d$event)], y$time[order(y$time,y$status)]); same(d$event[order(d$days,d$event)], (y$status==2)[order(y$time,y$status)])
m <- summary(survfit(Surv(days,event)~1, data=d), rmean=993.5)$table; put(c("rmst.mean","rmst.se"), m[c("rmean","se(rmean)")], "survfit, rmean = 993.5")
## ---- cosmesis ------------------------------------------------------------------------------------
d <- rd("cosmesis"); d$right[is.na(d$right)] <- Inf; data(cancer, package="npsurv"); y <- as.data.frame(cancer); y <- y[y$group=="RT",]
o <- function(l,r) paste(l,r)[order(l,r)]; same(o(d$left,d$right), o(y$L,y$R))
n <- npsurv(cbind(d$left,d$right))$f; for (j in which(n$p > 1e-6 & is.finite(n$right))) put(sprintf("npmle.%g-%g", n$left[j], n$right[j]), n$p[j], "npsurv")
## ---- dental --------------------------------------------------------------------------------------
d <- rd("dental"); y <- as.matrix(d[,-1]); O <- as.data.frame(Orthodont); W <- t(sapply(split(O,as.character(O$Subject)), function(s) s$distance[order(s$age)])); S <- tapply(as.character(O$Sex), as.character(O$Subject), `[`, 1)
key <- function(sex, m) sort(paste(sex, apply(m,1,paste,collapse=" "))); same(key(d$sex,y), key(ifelse(S[rownames(W)]=="Male","M","F"), W))
v <- (function(m) crossprod(m)/(nrow(d)-2))(residuals(lm(y~d$sex))); put(c("mmrm.var.8","mmrm.cov.8.10","mmrm.var.10","mmrm.var.12","mmrm.cov.12.14","mmrm.var.14"), c(v[1,1],v[1,2],v[2,2],v[3,3],v[3,4],v[4,4]), "lm: crossproduct of residuals within the sexes / 25")
O$age <- O$age-11; O$Subject <- factor(as.character(O$Subject)); O$Sex <- relevel(O$Sex,"Female")
m <- lme(distance~age*Sex, random=~age|Subject, data=O, control=lmeControl(msTol=1e-12,tolerance=1e-10,msMaxIter=500)); e <- fixef(m); put(c("slope.girls","slope.boys"), c(e[2],e[2]+e[4]), "lme, REML, age - 11")
q <- as.numeric(VarCorr(m)[,"StdDev"]); put(c("slope.sd.intercept","slope.sd.slope","slope.sd.residual"), q, "lme, REML, age - 11")
## ---- leprosy --------------------------------------------------------------------------------------
d <- rd("leprosy"); d$drug <- relevel(factor(d$drug),"F"); c4 <- coef(summary(lm(after~drug+before, data=d)))
for (r in list(c("A","drugA"),c("D","drugD"),c("slope","before"))) put(paste0("ancova.",r[1],c("",".se")), c4[r[2],1:2], "lm")
## ---- Rubin's rules --------------------------------------------------------------------------------
put("rubin.df.large", mice:::barnard.rubin(5, 0.1/1.2, 1.1, Inf), "mice, barnard.rubin: m = 5, relative increase 10 %")
put("rubin.df.complete", (58+1)/(58+3)*58, "closed form of Barnard & Rubin (1999), nothing missing, 58 complete-data df")
## ---- kidney equations: coefficients as printed by the authors' own listings (Kidney Int 2021;99:948; JASN 2009;20:629) ----
u25cr <- function(age, male) if (male) { if (age<12) 39.0*1.008^(age-12) else if (age<18) 39.0*1.045^(age-12) else 50.8 } else { if (age<12) 36.1*1.008^(age-12) else if (age<18) 36.1*1.023^(age-12) else 41.4 }
u25cys <- function(age, male) if (male) { if (age<15) 87.2*1.011^(age-15) else if (age<18) 87.2*0.960^(age-15) else 77.1 } else { if (age<12) 79.9*1.004^(age-12) else if (age<18) 79.9*0.974^(age-12) else 68.3 }
for (sex in c("M","F")) for (age in c(3,7.5,11.9,12,14.9,15,17.9,18)) { how <- "closed form of Pierce et al. (2021)"
  put(sprintf("u25.cr.%s.%g", sex, age), u25cr(age, sex=="M")*1.25/0.5, how); put(sprintf("u25.cys.%s.%g", sex, age), u25cys(age, sex=="M")/0.8, how) }
put("schwartz.mg", 0.413*125/0.5, "closed form of Schwartz et al. (2009): 125 cm, 0.5 mg/dL")
put("schwartz.umol", 0.413*125*88.4/50, "closed form of Schwartz et al. (2009): 125 cm, 50 umol/L")
## ---- units: molar masses from the standard atomic weights of IUPAC (abridged to five digits), the calendar ----------
C <- 12.011; H <- 1.008; N <- 14.007; O <- 15.999; creatinine <- 4*C+7*H+3*N+O
put("units.creatinine", 1e4/creatinine, "molar mass of C4H7N3O, umol/L per mg/dL"); put("units.upcr", creatinine, "molar mass of C4H7N3O, mg/mmol per mg/mg")
put("units.bun", 2*N/10, "two nitrogen atoms a molecule of urea, mg/dL per mmol/L")
put("units.month", as.numeric(as.Date("2053-01-01")-as.Date("2025-01-01"))/(28*12), "days of 28 years of the calendar, leap years among them, a month")
write.csv(transform(R, value=sprintf("%.10g", value)), file.path(D,"r_values.csv"), row.names=FALSE, quote=3)
cat(R.version.string, paste0(p <- c("survival","nlme","MASS","npsurv","mice")," ",sapply(p, function(x) as.character(packageVersion(x)))), sep="\n")
