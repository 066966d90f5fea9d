"""Words that say nothing about what is asked, in the languages that callers speak most.

In a small knowledge base even "the" is rare enough to count, so frequency alone does not find them.
"""

from typing import Final

_ENGLISH = """a about an and any are as at be been but by can could did do does for from get got
had has have he her here him his how i i'd i'm if in into is it its just let like may me might my
need no not of on one or our please she should so some someone than that the their them then
there they this to up us want was we were what when where which who whose why will with would yes
you your im dont"""
_GERMAN = """aber alle als am an auch auf aus bei bin bis bitte da dann das dass dem den der des
die dies dir doch du ein eine einem einen einer eines er es für gibt habe haben hat ich ihr im in
ist ja kann kein können man mein meine mich mir mit möchte nach nicht noch nur oder ob sein sich
sie sind so soll um und uns von war was wann warum wenn wer werden wie wird wo wir zu zum zur
über"""
_SPANISH = """al algo como con cuando cual cuál cuándo cómo de del desde donde dónde el ella en
es esta está este esto hay la las le les lo los me mi mis muy más no nos o para pero por porque
puede puedo que qué quien quién quiero se ser si sin sobre son su sus sí también te tengo tiene
tu un una uno y ya yo"""
_FRENCH = """ai au aux avec c ce ces cette comment d dans de des du elle en est et être il ils j
je l la le les leur lui ma mais me mes moi mon n ne nos notre nous on où ou par pas peut peux
plus pour qu quand que quel quelle qui quoi s sa se ses si son sont sur ta te toi tu un une votre
vous vos y a à"""
_ITALIAN = """al alla anche c che chi ci come con cosa da dal dalla dei del della di dove e è gli
ha ho i il in io l la le lo ma mi mia mio nel nella no non o per perché più posso può qual quale
quando quanto se si sono su tra un una uno vi voglio vorrei"""
_PORTUGUESE = """ao aos as até com como da das de do dos e é ela ele em essa esse esta este eu
foi há isso já lhe mais mas me meu minha muito na nas no nos não o onde os ou para pela pelo por
porque posso pode qual quando que quem quero se sem ser seu sua são também tem tenho um uma você"""
_DUTCH = """aan als bij dan dat de deze die dit een en er ge geen had heb hebben heeft het hier
hoe ik in is ja je kan kunnen maar me met mij mijn naar niet nog of om onze op over te tot u uit
uw van voor waar wanneer wat we wel wie wij wil worden zijn zou"""

STOP_WORDS: Final = frozenset(
    " ".join((_ENGLISH, _GERMAN, _SPANISH, _FRENCH, _ITALIAN, _PORTUGUESE, _DUTCH)).split()
)
